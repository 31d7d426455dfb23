"""Requests per second of the cached task list, against a bare FastAPI endpoint that returns the same bytes.

Both run alone in one pod of the same image under the same CPU limit, and are asked in turn by the same client, so that
a neighbour's noise hits both.  What lies between them is what the service does for a request: it verifies a token,
validates the query, asks Redis, counts, logs a line and adds headers.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import threading
import time
from dataclasses import dataclass
from typing import Any

from figures import median, pod_metrics, ratio, samples, table

from taskservice_demo.load import PASSWORD, Target
from taskservice_demo.pod_load import can_reach
from taskservice_demo.stage import install_sample
from taskservice_local.commands import run, wait_for
from taskservice_local.errors import LocalError
from taskservice_local.machine import Machine, Need, install
from taskservice_local.progress import say, step
from testkit.live import Live

ROUNDS = 5
SECONDS = 6
CONNECTIONS = 16
TASKS = 20
PATH = f"/v1/tasks?limit={TASKS}"
RESOURCES = {"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
"""Half a core: below what a machine of two cores has to spare, so that the limit and not the client decides."""
WRK = Need("wrk", "wrk", "wrk", "asks for the task list as fast as it is answered")
BARE = """
import os

import uvicorn
from fastapi import FastAPI, Response

BODY = os.environ["BENCH_BODY"].encode()
app = FastAPI(openapi_url=None)


@app.get("/v1/tasks")
async def tasks() -> Response:
    return Response(BODY, media_type="application/json")


uvicorn.run(app, host="0.0.0.0", port=8000, loop="uvloop", http="httptools", access_log=False, log_config=None)
"""


@dataclass(frozen=True)
class Run:
    """One run of the client: requests answered per second, and whatever was not answered by 200."""

    per_second: float
    failed: int


def measure(live: Live) -> dict[str, Any]:
    """Measure both, interleaved.  Raises LocalError when a request fails or the list is not from the cache."""
    values = {"auth": {"replicas": 1}, "tasks": {"replicas": 1, "resources": RESOURCES}}
    install_sample(live.stage, live.namespace, {**values, "rollout": {"smokeRequests": 1}})
    tasks = live.stage.target(live.namespace, "tasks")
    if not can_reach(tasks):
        raise LocalError("Services of this cluster cannot be reached from this machine: use the built cluster.")
    token, body = _some_tasks(live.stage.target(live.namespace, "auth"), tasks)
    bare = _start_bare(live, body)
    client = _client()
    hits = _cache_hits(live)
    runs: dict[str, list[Run]] = {"tasks": [], "bare": []}
    with step(f"{2 * ROUNDS} runs of {SECONDS} s by {client}"):
        for target in (tasks, bare):
            _ask(client, target, token, 2)
        for index in range(ROUNDS):
            order = ("tasks", "bare") if index % 2 == 0 else ("bare", "tasks")
            for name in order:
                runs[name].append(_ask(client, tasks if name == "tasks" else bare, token, SECONDS))
    failed = sum(each.failed for every in runs.values() for each in every)
    if failed:
        raise LocalError(f"{failed} requests were not answered by 200; the figures would mean nothing.")
    looked, hit = (after - before for before, after in zip(hits, _cache_hits(live), strict=True))
    if not looked or hit / looked < 0.99:
        raise LocalError(f"Only {hit:.0f} of {looked:.0f} lists came from the cache: is Redis well?")
    cached = median([each.per_second for each in runs["tasks"]])
    floor = median([each.per_second for each in runs["bare"]])
    return {
        "client": client,
        "connections": CONNECTIONS,
        "cpu_limit": RESOURCES["limits"]["cpu"],
        "body_bytes": len(body),
        "cache_hit_share": round(hit / looked, 4),
        "tasks_per_second": cached,
        "bare_per_second": floor,
        "ratio": ratio(cached, floor),
        "ratios": [ratio(a.per_second, b.per_second) for a, b in zip(runs["tasks"], runs["bare"], strict=True)],
        "runs": {name: [each.per_second for each in every] for name, every in runs.items()},
    }


def _some_tasks(auth: Target, tasks: Target) -> tuple[str, str]:
    """An account with TASKS tasks: its token, and the body of its list."""
    account = {"email": f"bench-{time.time_ns():x}@example.org", "password": PASSWORD}
    _exchange(auth, "POST", "/v1/auth/register", 201, account)
    token = json.loads(_exchange(auth, "POST", "/v1/auth/login", 200, account))["access_token"]
    for index in range(TASKS):
        _exchange(tasks, "POST", "/v1/tasks", 201, {"title": f"task {index} of a benchmark"}, token)
    return token, _exchange(tasks, "GET", PATH, 200, token=token)


def _exchange(
    target: Target, method: str, path: str, expected: int, body: dict[str, Any] | None = None, token: str = ""
) -> str:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
        response = connection.getresponse()
        answer = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise LocalError(f"{method} {path} was not answered: {error!r}") from error
    finally:
        connection.close()
    if response.status != expected:
        raise LocalError(f"{method} {path} was answered by {response.status}, not {expected}: {answer[:200]}")
    return answer


def _start_bare(live: Live, body: str) -> Target:
    """The bare endpoint in a pod that is confined as the operator confines those of tasks."""
    labels = {"app": "bare"}
    container = {
        "name": "app",
        "image": live.stage.images["service"],
        "command": ["python", "-c", BARE],
        "env": [{"name": "BENCH_BODY", "value": body.replace("$(", "$$(")}],
        "resources": RESOURCES,
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    confined = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": confined, "automountServiceAccountToken": False}
    live.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": labels}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "bare"},
            "spec": {"selector": labels, "ports": [{"port": 8000}]},
        },
    )
    with step("the bare endpoint"):
        live.kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=90s")
        target = live.stage.target(live.namespace, "bare")
        wait_for("the bare endpoint's Service", lambda: can_reach(target), 30)
    if _exchange(target, "GET", PATH, 200) != body:
        raise LocalError("The bare endpoint does not return the body of the task list.")
    return target


def _cache_hits(live: Live) -> tuple[float, float]:
    """Look-ups of the list so far, and those that were hits."""
    pods = live.list("pods", "-l", "taskservice.dev/name=tasks", "--field-selector=status.phase=Running")
    if len(pods) != 1:
        raise LocalError(f"tasks has {len(pods)} running pods where one was asked for.")
    text = pod_metrics(live.stage, live.namespace, pods[0]["metadata"]["name"], 9090)
    found = samples(text, "taskservice_cache_requests_total")
    return sum(value for _, value in found), sum(value for labels, value in found if labels["result"] == "hit")


def _client() -> str:
    if not shutil.which("wrk"):
        try:
            install((WRK,), Machine())
        except LocalError as problem:
            say(f"  {problem}  A client in Python is used instead.")
    return "wrk" if shutil.which("wrk") else "python"


def _ask(client: str, target: Target, token: str, seconds: int) -> Run:
    return _by_wrk(target, token, seconds) if client == "wrk" else _by_python(target, token, seconds)


def _by_wrk(target: Target, token: str, seconds: int) -> Run:
    url = f"http://{target.host}:{target.port}{PATH}"
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}", url]
    text = run(list(words), timeout=seconds + 30)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None:
        raise LocalError(f"wrk says nothing of requests per second: {text.strip()[-300:]}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = int(refused[1]) if refused else 0
    return Run(float(rate[1]), failed + sum(int(number) for number in broken.groups()) if broken else failed)


def _by_python(target: Target, token: str, seconds: int) -> Run:
    """The same by kept connections in threads; slower than wrk, and so nearer to its own limit."""
    answered, failed = [0] * CONNECTIONS, [0] * CONNECTIONS
    end = time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {token}"}

    def work(index: int) -> None:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
        while time.monotonic() < end:
            try:
                connection.request("GET", PATH, headers=headers)
                response = connection.getresponse()
                response.read()
                answered[index] += 1
                failed[index] += response.status != 200
            except (OSError, http.client.HTTPException):
                failed[index] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 15)
    return Run(round(sum(answered) / seconds, 1), sum(failed))


def render(result: dict[str, Any]) -> str:
    """The result as text."""
    rows = table(
        [
            {"what": "task list, cached", "rate": result["tasks_per_second"], "ratio": result["ratio"]},
            {"what": "bare FastAPI endpoint", "rate": result["bare_per_second"], "ratio": 1.0},
        ],
        {
            f"{result['body_bytes']} bytes, {result['cpu_limit']} CPU": lambda row: row["what"],
            "requests/s": lambda row: f"{row['rate']:.0f}",
            "ratio": lambda row: row["ratio"],
        },
    )
    spread = f"ratio from run to run: {min(result['ratios'])} to {max(result['ratios'])}"
    cached = f"{result['cache_hit_share']:.1%} of the lists came from the cache"
    return f"{rows}\n{spread}; {cached}; client: {result['client']}"
