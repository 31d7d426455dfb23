"""One request, found as a trace in a real Jaeger, and its lines in a real Loki by that trace's id.

The configurations are those of the platform, but for addresses.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskservice_observability import pipelines
from testkit.built_part import BuiltPart, free_ports
from testkit.mongod import PartUnavailable, ReplicaSet, free_port
from testkit.observed_demo import migrated
from testkit.service_process import Process

PERSON = {"email": "ann@example.com", "password": "correct-horse-battery"}


@dataclass(frozen=True)
class Traced:
    """One request that was made, and where to ask about it."""

    trace_id: str
    jaeger: str
    logs: Path


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    with ExitStack() as stack:
        try:
            yield _request(folder, stack)
        except PartUnavailable as reason:
            pytest.skip(str(reason))


def _request(folder: Path, stack: ExitStack) -> Traced:
    """tasks creates a task for somebody else, so it asks auth whether there is such a person, and both ask MongoDB."""
    ports = free_ports(5)
    query, otlp = ports, ports + 2
    configuration = pipelines.jaeger(host="127.0.0.1", query=query, otlp=otlp)
    configuration["extensions"]["healthcheckv2"]["http"]["endpoint"] = f"127.0.0.1:{ports + 4}"
    ready = f"http://127.0.0.1:{ports + 4}/status"
    stack.enter_context(BuiltPart("jaeger", folder, configuration, flag="--config=", ready=ready))
    (folder / "mongo").mkdir()
    mongo = stack.enter_context(ReplicaSet(folder / "mongo", members=1))
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    asyncio.run(migrated(mongo.url, pem))
    grpc, logs = free_port(), folder / "logs"
    logs.mkdir()
    common = {
        "TASKSERVICE_MONGO_URL": mongo.url,
        "TASKSERVICE_MONGO_TIMEOUT_SECONDS": "20",
        "TASKSERVICE_DIRECTORY_TOKEN": secrets.token_hex(32),
        "TASKSERVICE_DIRECTORY_TIMEOUT_SECONDS": "20",
        "TASKSERVICE_DIRECTORY_ATTEMPT_SECONDS": "10",
        "TASKSERVICE_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp + 1}",
        "TASKSERVICE_TRACE_RATIO": "0",
        "TASKSERVICE_ARGON2_MEMORY_KIB": "8",
        "TASKSERVICE_ARGON2_TIME_COST": "1",
        "TASKSERVICE_JWT_PRIVATE_KEY": pem,
    }
    auth = Process("auth", logs, common | {"TASKSERVICE_GRPC_PORT": str(grpc)})
    stack.callback(auth.kill)
    own = {
        "TASKSERVICE_JWKS_URL": f"{auth.url}/.well-known/jwks.json",
        "TASKSERVICE_DIRECTORY_GRPC": f"127.0.0.1:{grpc}",
    }
    tasks = Process("tasks", logs, common | own)
    stack.callback(tasks.kill)
    for process in (auth, tasks):
        process.wait_until_ready(180)
    trace_id = secrets.token_hex(16)
    with httpx2.Client(timeout=60) as client:
        client.post(f"{auth.url}/v1/auth/register", json=PERSON).raise_for_status()
        other = client.post(
            f"{auth.url}/v1/auth/register", json=PERSON | {"email": "bob@example.com"}
        ).raise_for_status()
        token = client.post(f"{auth.url}/v1/auth/login", json=PERSON).raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
        body = {"title": "look at this", "assignee": other.json()["id"]}
        client.post(f"{tasks.url}/v1/tasks", json=body, headers=headers).raise_for_status()
    return Traced(trace_id, f"http://127.0.0.1:{query}", logs)


def until(ask: Callable[[], Any], seconds: float = 90) -> Any:
    """The first answer that is not empty."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = ask()
        except OSError:
            found = None
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def test_a_request_is_one_trace_over_tasks_auth_and_mongodb(traced: Traced) -> None:
    def complete() -> Any:
        (trace,) = get(f"{traced.jaeger}/api/traces/{traced.trace_id}")["data"]
        services = {process["serviceName"] for process in trace["processes"].values()}
        return trace if {"auth", "tasks"} <= services else None

    trace = until(complete)
    assert trace, "no trace over both services"
    by_service: dict[str, set[str]] = {}
    for span in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        service = trace["processes"][span["processID"]]["serviceName"]
        by_service.setdefault(service, set()).add(str(tags.get("db.system", span["operationName"])))
    assert "POST /v1/tasks" in by_service["tasks"]
    assert "mongodb" in by_service["tasks"]
    assert "mongodb" in by_service["auth"]
    spans = {span["spanID"] for span in trace["spans"]}
    roots = [span for span in trace["spans"] if not {ref["spanID"] for ref in span["references"]} & spans]
    assert len(roots) == 1, "every other span hangs below the request"


def test_the_lines_of_the_request_are_found_in_loki_by_its_trace(traced: Traced, tmp_path: Path) -> None:
    port, otlp = free_port(), free_ports(3)
    loki = pipelines.loki(folder=str(tmp_path / "loki-data"), port=port, host="127.0.0.1")
    collector = pipelines.collector(
        loki=f"http://127.0.0.1:{port}", jaeger="127.0.0.1:1", include=f"{traced.logs}/*.log", kubernetes=False
    )
    collector["receivers"]["otlp"]["protocols"] = {"grpc": {"endpoint": f"127.0.0.1:{otlp}"}}
    collector["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{otlp + 1}"
    with ExitStack() as stack:
        try:
            ready = f"http://127.0.0.1:{port}/ready"
            stack.enter_context(BuiltPart("loki", tmp_path, loki, flag="-config.file=", ready=ready))
            health = f"http://127.0.0.1:{otlp + 1}/"
            stack.enter_context(BuiltPart("otelcol", tmp_path, collector, flag="--config=", ready=health))
        except PartUnavailable as reason:
            pytest.skip(str(reason))

        def lines() -> Any:
            query = urllib.parse.urlencode(
                {"query": f'{{service_name=~".+"}} | trace_id="{traced.trace_id}"', "since": "1h"}
            )
            streams = get(f"http://127.0.0.1:{port}/loki/api/v1/query_range?{query}")["data"]["result"]
            return [json.loads(text) for stream in streams for _, text in stream["values"]]

        found = until(lines)
        assert found, (tmp_path / "otelcol.log").read_text()[-2000:]
        assert {line["trace_id"] for line in found} == {traced.trace_id}
        assert [line["route"] for line in found if line["event"] == "http_request"] == ["/v1/tasks"]
        labels = get(f"http://127.0.0.1:{port}/loki/api/v1/labels?since=1h").get("data") or []
        assert "trace_id" not in labels
