"""One request is one trace across processes and stores; without an endpoint the SDK is not even imported."""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from testkit.mongod import free_port
from testkit.otlp_receiver import OtlpReceiver, ReceivedSpan
from testkit.redis_server import RedisServer

StartService = Callable[..., Any]
ANN = {"email": "ann@example.com", "password": "correct-horse-battery"}
TOKEN = secrets.token_hex(32)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def by_service(spans: list[ReceivedSpan], service: str) -> list[ReceivedSpan]:
    return [span for span in spans if span.service == service]


def test_a_request_is_one_trace_from_the_route_to_the_stores(
    start_service: StartService, redis_server: RedisServer, receiver: OtlpReceiver
) -> None:
    environment = {
        "TASKSERVICE_OTLP_ENDPOINT": receiver.url,
        "TASKSERVICE_TRACE_RATIO": "0",
        "TASKSERVICE_REDIS_URL": redis_server.url,
        "TASKSERVICE_DIRECTORY_TOKEN": TOKEN,
        "TASKSERVICE_GRPC_PORT": str(free_port()),
    }
    auth = start_service("auth", **environment).wait_until_ready()
    tasks = start_service(
        "tasks",
        TASKSERVICE_JWKS_URL=f"{auth.url}/.well-known/jwks.json",
        **environment,
    ).wait_until_ready()
    httpx2.post(f"{auth.url}/v1/auth/register", json=ANN).raise_for_status()
    token = httpx2.post(f"{auth.url}/v1/auth/login", json=ANN).json()["access_token"]
    trace_id = secrets.token_hex(16)
    headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    httpx2.get(f"{tasks.url}/v1/tasks", headers=headers).raise_for_status()
    httpx2.get(f"{auth.url}/v1/auth/me", headers=headers).raise_for_status()

    receiver.wait(trace_id, lambda spans: {"GET /v1/tasks", "GET /v1/auth/me"} <= {span.name for span in spans})
    spans = receiver.of(trace_id)
    for service, route in (("tasks", "GET /v1/tasks"), ("auth", "GET /v1/auth/me")):
        own = by_service(spans, service)
        (request,) = [span for span in own if span.name == route]
        assert request.revision == "rev-1"
        stores = {span.attributes.get("db.system") for span in own if span.parent_id == request.span_id}
        assert "mongodb" in stores, own
        assert "redis" in stores, own
    assert {span.trace_id for span in receiver.spans} == {trace_id}, "the ratio is 0: only the caller's trace counts"
    assert token not in str(receiver.spans)

    lines = [line for line in tasks.lines() if line.get("trace_id") == trace_id]
    assert [line["route"] for line in lines if line["event"] == "http_request"] == ["/v1/tasks"]
    openmetrics = httpx2.get(
        f"{tasks.management_url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert f'trace_id="{trace_id}"' in openmetrics.text


def test_a_request_that_is_not_sampled_makes_no_span_and_is_still_one_trace_on_every_line(
    start_service: StartService, redis_server: RedisServer, receiver: OtlpReceiver
) -> None:
    environment = {
        "TASKSERVICE_OTLP_ENDPOINT": receiver.url,
        "TASKSERVICE_TRACE_RATIO": "1",
        "TASKSERVICE_REDIS_URL": redis_server.url,
        "TASKSERVICE_DIRECTORY_TOKEN": TOKEN,
    }
    grpc = str(free_port())
    auth = start_service("auth", TASKSERVICE_GRPC_PORT=grpc, **environment).wait_until_ready()
    addresses = {
        "TASKSERVICE_JWKS_URL": f"{auth.url}/.well-known/jwks.json",
        "TASKSERVICE_DIRECTORY_GRPC": f"127.0.0.1:{grpc}",
    }
    tasks = start_service("tasks", **addresses, **environment).wait_until_ready()
    httpx2.post(f"{auth.url}/v1/auth/register", json=ANN).raise_for_status()
    token = httpx2.post(f"{auth.url}/v1/auth/login", json=ANN).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    bob = httpx2.post(f"{auth.url}/v1/auth/register", json=ANN | {"email": "bob@example.com"}).json()["id"]

    trace_id = secrets.token_hex(16)
    unsampled = bearer | {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-00"}
    created = httpx2.post(f"{tasks.url}/v1/tasks", json={"title": "one", "assignee": bob}, headers=unsampled)
    created.raise_for_status()
    for _ in range(3):
        httpx2.get(f"{tasks.url}/v1/tasks", headers=unsampled).raise_for_status()
    # What a sampled request made comes later, and comes.
    sampled = secrets.token_hex(16)
    headers = bearer | {"traceparent": f"00-{sampled}-{secrets.token_hex(8)}-01"}
    httpx2.get(f"{tasks.url}/v1/tasks", headers=headers).raise_for_status()
    receiver.wait(sampled, lambda spans: "GET /v1/tasks" in {span.name for span in spans})
    for process in (tasks, auth):
        process.terminate()
        assert process.wait() == 0
    assert receiver.of(trace_id) == []

    asked = [line for line in tasks.lines() if line.get("trace_id") == trace_id and line["event"] == "http_request"]
    assert len(asked) == 4
    served = [line for line in auth.lines() if line.get("trace_id") == trace_id and line["event"] == "grpc_request"]
    assert served, "the trace went along to the directory"


def test_a_request_that_names_no_trace_is_not_recorded_at_ratio_0_and_has_a_trace_of_its_own(
    start_service: StartService, receiver: OtlpReceiver
) -> None:
    auth = start_service("auth", TASKSERVICE_OTLP_ENDPOINT=receiver.url, TASKSERVICE_TRACE_RATIO="0").wait_until_ready()
    httpx2.post(f"{auth.url}/v1/auth/register", json=ANN).raise_for_status()
    for _ in range(3):
        httpx2.post(f"{auth.url}/v1/auth/login", json=ANN).raise_for_status()
    auth.terminate()
    assert auth.wait() == 0, "what was recorded is sent at the end"
    assert receiver.spans == []
    traces = [line["trace_id"] for line in auth.lines() if line["event"] == "http_request"]
    assert len(set(traces)) == len(traces) == 4


IMPORTS = """
import sys
from taskservice.kit.settings import TasksSettings
from taskservice.kit import tracing
from taskservice.kit.app import Runtime
from taskservice.tasks.app import create_app
settings = TasksSettings(mongo_url="mongodb://nowhere", jwks_url="http://nowhere/jwks.json")
tracing.configure("tasks", settings)
create_app(settings, Runtime.of("tasks", settings))
recording = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "opentelemetry.instrumentation")
print([name for name in sys.modules if name.startswith(recording)])
"""


def test_without_an_endpoint_nothing_that_records_or_sends_spans_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
