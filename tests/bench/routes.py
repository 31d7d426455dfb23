"""Requests per second of the hot routes, each against a bare FastAPI endpoint, and what each layer of ours costs.

Everything runs on loopback: three mongod, Redis, the services as the image starts them, and `bare.py`. The service
that is asked has one processor for itself; databases and the client share the others. Every round asks each variant
in turn, so that a neighbour's noise hits all. See docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from figures import median, ratio, table

from taskservice_local.errors import LocalError
from taskservice_local.machine import Machine, Need, install
from taskservice_local.progress import say, step
from testkit.mongod import PartUnavailable, ReplicaSet
from testkit.otlp_receiver import OtlpReceiver
from testkit.redis_server import RedisServer
from testkit.service_process import Process

ROUNDS = 3
SECONDS = 4
LIST_ROUNDS = 8
LIST_SECONDS = 2
LISTS = (
    "bare list",
    "cached list",
    "cached list, without access lines",
    "cached list, without lines and metrics",
    "cached list, traced, 5 %",
)
CONNECTIONS = 16
TASKS = 20
LIST = f"/v1/tasks?limit={TASKS}"
ANN = {"email": "ann@example.com", "password": "correct-horse-battery"}
NEW_TASK = '{"title": "a task of a benchmark", "labels": ["bench"], "priority": "high"}'
BOB = ANN | {"email": "bob@example.com"}
"""Logs in again and again: his oldest sessions end, hers does not."""
WRK = Need("wrk", "wrk", "wrk", "asks as fast as it is answered")
UNMETERED = """
import sys
from taskservice.kit.metrics import Metrics
Metrics.observe_request = Metrics.count_cache = lambda *_: None
from taskservice.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
BARE = Path(__file__).parent / "bare.py"


@dataclass(frozen=True)
class Variant:
    """One thing that is asked, and the name of the variant that its figures are compared with."""

    name: str
    process: Process
    path: str
    floor: str = ""
    body: str = ""


@dataclass
class Measured:
    """What the rounds gave for one variant."""

    per_second: list[float] = field(default_factory=list[float])
    microseconds: list[float] = field(default_factory=list[float])
    idle_mib: float | None = None
    loaded_mib: float | None = None


class BareProcess(Process):
    """`bare.py`, on a port of its own."""

    program = (sys.executable, str(BARE))


class UnmeteredProcess(Process):
    """A service that observes no request: what its metrics cost is the difference."""

    program = (sys.executable, "-c", UNMETERED)


def measure() -> dict[str, Any]:
    """Measure every route. Raises LocalError when a part cannot be had or a request fails."""
    return _measured(lambda variants: variants, ROUNDS, SECONDS)


def measure_lists() -> dict[str, Any]:
    """Measure the cached list alone, in shorter turns, with no more processes than are asked. Raises LocalError."""

    def lists(variants: list[Variant]) -> list[Variant]:
        chosen = [variant for variant in variants if variant.name in LISTS]
        needed = {id(variant.process) for variant in variants if variant in chosen or variant.name == "login"}
        for variant in variants:
            if id(variant.process) not in needed:
                variant.process.kill()
        return chosen

    return _measured(lists, LIST_ROUNDS, LIST_SECONDS)


def _measured(choose: Callable[[list[Variant]], list[Variant]], rounds: int, seconds: int) -> dict[str, Any]:
    _have_wrk()
    try:
        with ExitStack() as stack:
            variants, token = _variants(stack)
            return _rounds((choose(variants), token), stack.enter_context(_scripts()), rounds, seconds)
    except PartUnavailable as reason:
        raise LocalError(str(reason)) from reason


def _variants(stack: ExitStack) -> tuple[list[Variant], str]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    with step("three mongod, Redis and the services"):
        replica_set = stack.enter_context(ReplicaSet(folder))
        redis = stack.enter_context(RedisServer(folder))
        spans = stack.enter_context(OtlpReceiver())
        start = _starter(stack, folder, replica_set)
        auth = start("auth").wait_until_ready()
        common = {"TASKSERVICE_JWKS_URL": f"{auth.url}/.well-known/jwks.json"}
        cached = common | {"TASKSERVICE_REDIS_URL": redis.url}
        traced = {"TASKSERVICE_OTLP_ENDPOINT": spans.url}
        full = start("tasks", cached)
        processes = {
            "full": full,
            "on PyMongo Async": start("tasks", cached | {"TASKSERVICE_MONGO_DRIVER": "pymongo"}),
            "uncached": start("tasks", common),
            "uncached on PyMongo Async": start("tasks", common | {"TASKSERVICE_MONGO_DRIVER": "pymongo"}),
            "without access lines": start("tasks", cached | {"TASKSERVICE_ACCESS_LOG": "false"}),
            "without lines and metrics": start(
                "tasks", cached | {"TASKSERVICE_ACCESS_LOG": "false"}, kind=UnmeteredProcess
            ),
            "traced, 5 %": start("tasks", cached | traced | {"TASKSERVICE_TRACE_RATIO": "0.05"}),
            "traced, all": start("tasks", cached | traced | {"TASKSERVICE_TRACE_RATIO": "1"}),
        }
        for process in processes.values():
            process.wait_until_ready()
    token = _account(auth)
    _some_tasks(full, token)
    body = httpx2.get(full.url + LIST, headers=_bearer(token)).text
    _migrated(replica_set)
    bare = start("bare", {"BENCH_LIST": body, "BENCH_PASSWORD": ANN["password"]}, kind=BareProcess)
    _answers(bare)
    lists = {"cached list": "full", "cached list on PyMongo Async": "on PyMongo Async"}
    lists |= {"uncached list": "uncached", "uncached list on PyMongo Async": "uncached on PyMongo Async"}
    layers = ("without access lines", "without lines and metrics", "traced, 5 %", "traced, all")
    lists |= {f"cached list, {name}": name for name in layers}
    found = [Variant("bare list", bare, LIST)]
    found += [Variant(name, processes[key], LIST, "bare list") for name, key in lists.items()]
    stores, login = "bare create that stores", json.dumps(BOB)
    found += [
        Variant("bare create", bare, "/v1/tasks", body=NEW_TASK),
        Variant(stores, bare, "/stored", "bare create", NEW_TASK),
        Variant("create", full, "/v1/tasks", stores, NEW_TASK),
        Variant("create on PyMongo Async", processes["on PyMongo Async"], "/v1/tasks", stores, NEW_TASK),
        Variant("bare password check", bare, "/v1/auth/login", body=login),
        Variant("login", auth, "/v1/auth/login", "bare password check", login),
    ]
    return found, token


def _starter(stack: ExitStack, folder: Path, replica_set: ReplicaSet) -> Any:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    common = {"TASKSERVICE_MONGO_URL": replica_set.url, "BENCH_MONGO_URL": replica_set.url}

    def start(command: str, environment: dict[str, str] | None = None, kind: type[Process] = Process) -> Process:
        own = {"TASKSERVICE_JWT_PRIVATE_KEY": key} if command == "auth" else {}
        process = kind(command, folder, common | own | (environment or {}))
        stack.callback(process.kill)
        process.keep_to(0)
        return process

    return start


def _rounds(found: tuple[list[Variant], str], scripts: Path, rounds: int, seconds: int) -> dict[str, Any]:
    variants, token = found
    measured = {variant.name: Measured() for variant in variants}
    for variant in variants:
        measured[variant.name].idle_mib = variant.process.resident_mib()
    for number in range(rounds):
        with step(f"round {number + 1} of {rounds}: {len(variants)} variants, {seconds} s each"):
            for variant in variants if number % 2 == 0 else variants[::-1]:
                _ask(variant, token, scripts, 1)
                used = variant.process.processor_seconds()
                per_second, requests = _ask(variant, token, scripts, seconds)
                used = variant.process.processor_seconds() - used
                measured[variant.name].per_second.append(per_second)
                measured[variant.name].microseconds.append(used / requests * 1e6)
    for variant in variants:
        measured[variant.name].loaded_mib = variant.process.resident_mib()
    rates = {name: median(one.per_second) for name, one in measured.items()}
    costs = {name: median(one.microseconds) for name, one in measured.items()}
    rows = [
        {
            "name": variant.name,
            "per_second": rates[variant.name],
            "floor": variant.floor,
            "ratio": ratio(rates[variant.name], rates[variant.floor]) if variant.floor else None,
            "microseconds": costs[variant.name],
            "cost_ratio": ratio(costs[variant.floor], costs[variant.name]) if variant.floor else None,
            "runs": measured[variant.name].per_second,
            "idle_mib": measured[variant.name].idle_mib,
            "loaded_mib": measured[variant.name].loaded_mib,
        }
        for variant in variants
    ]
    return {"connections": CONNECTIONS, "seconds": seconds, "rows": rows}


def _ask(variant: Variant, token: str, scripts: Path, seconds: int) -> tuple[float, int]:
    """Requests per second, and how many in all."""
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    words += ["-H", f"Authorization: Bearer {token}"]
    if variant.body:
        script = scripts / f"{abs(hash(variant.body))}.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{variant.body}]]\n'
        )
        words += ["-s", str(script)]
    others = sorted(os.sched_getaffinity(0) - {0}) or [0]
    text = subprocess.run(
        ["taskset", "-c", ",".join(map(str, others)), *words, variant.process.url + variant.path],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    ).stdout
    count = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: .*", text)
    if rate is None or count is None or refused or broken:
        raise LocalError(f"{variant.name}: not every request was answered well: {text.strip()[-300:]}")
    return float(rate[1]), int(count[1])


def _account(auth: Process) -> str:
    for person in (ANN, BOB):
        httpx2.post(f"{auth.url}/v1/auth/register", json=person).raise_for_status()
    answer = httpx2.post(f"{auth.url}/v1/auth/login", json=ANN).raise_for_status()
    return answer.json()["access_token"]


def _some_tasks(tasks: Process, token: str) -> None:
    for number in range(TASKS):
        answer = httpx2.post(
            f"{tasks.url}/v1/tasks", json={"title": f"task {number} of a benchmark"}, headers=_bearer(token)
        )
        answer.raise_for_status()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _migrated(replica_set: ReplicaSet) -> None:
    """The indexes of ours, in the database that the floor stores in."""
    environment = os.environ | {"TASKSERVICE_MONGO_URL": replica_set.url, "TASKSERVICE_MONGO_DATABASE": "bare"}
    command = [sys.executable, "-m", "taskservice", "migrate"]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60)


def _answers(bare: Process) -> None:
    for _ in range(300):
        try:
            httpx2.get(bare.url + LIST, timeout=1).raise_for_status()
            return
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise LocalError("The bare endpoints did not come up.")


@contextmanager
def _scripts() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _have_wrk() -> None:
    if not shutil.which("wrk"):
        install((WRK,), Machine())
    say("  client: wrk")


def render(result: dict[str, Any]) -> str:
    """The result as text."""
    rows: Sequence[dict[str, Any]] = result["rows"]
    return table(
        rows,
        {
            f"{result['connections']} connections": lambda row: row["name"],
            "requests/s": lambda row: f"{row['per_second']:.0f}",
            "ratio": lambda row: row["ratio"],
            "CPU µs each": lambda row: f"{row['microseconds']:.0f}",
            "ratio of CPU": lambda row: row["cost_ratio"],
            "of": lambda row: row["floor"] or None,
            "idle MiB": lambda row: row["idle_mib"],
            "loaded MiB": lambda row: row["loaded_mib"],
        },
    )
