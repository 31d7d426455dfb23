"""What holds for every request, on a small app of the same shell as the services."""

import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Body, FastAPI

from taskservice.kit.app import Runtime, create_shell
from taskservice.kit.errors import Unavailable
from taskservice.kit.logging import JsonFormatter
from taskservice.kit.settings import AuthSettings

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shell(
    auth_settings: Callable[..., AuthSettings],
) -> AsyncIterator[tuple[httpx2.AsyncClient, Runtime]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    settings = auth_settings(max_body_bytes=1024)
    runtime = Runtime.of("shell", settings)
    app = create_shell("shell", settings, runtime, lifespan)

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    @app.post("/echo")
    async def echo(body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        return body

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("hunter2")

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("The database did not answer in time.", retry_after=3)

    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://shell") as client:
        yield client, runtime


Shell = tuple[httpx2.AsyncClient, Runtime]


def assert_problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["type"] == f"urn:taskservice:problem:{code}"
    assert document["title"]
    return document


async def test_every_answer_names_its_revision(shell: Shell) -> None:
    client, _ = shell
    for path in ("/items/1", "/items/x", "/nowhere", "/bug"):
        response = await client.get(path)
        assert response.headers["x-taskservice-revision"] == "r1"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_refusals_of_the_framework_are_problems(shell: Shell) -> None:
    client, _ = shell
    assert_problem(await client.get("/nowhere"), 404, "not-found")
    response = await client.delete("/items/1")
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"
    document = assert_problem(await client.get("/items/x"), 422, "invalid")
    assert document["errors"][0]["field"] == "path.item"


async def test_a_bug_is_500_and_tells_nothing(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = shell
    response = await client.get("/bug")
    assert_problem(response, 500, "internal")
    assert "hunter2" not in response.text
    assert "unhandled_error" in [record.getMessage() for record in caplog.records]


async def test_unavailable_says_when_to_come_back(shell: Shell) -> None:
    client, _ = shell
    response = await client.get("/away")
    assert_problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "3"


async def test_a_body_over_the_limit_is_413_declared_or_not(shell: Shell) -> None:
    client, _ = shell
    body = json.dumps({"x": "y" * 2000}).encode()
    headers = {"Content-Type": "application/json"}
    assert_problem(await client.post("/echo", content=body, headers=headers), 413, "payload-too-large")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    response = await client.post("/echo", content=pieces(), headers=headers)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


async def test_malformed_bodies_are_refused(shell: Shell) -> None:
    client, _ = shell
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"\xff\xfe", b"[" * 1000, b"nul", b"1"):
        response = await client.post("/echo", content=body, headers=headers)
        assert response.status_code in (400, 422), body
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_request_id_is_kept_if_harmless(shell: Shell) -> None:
    client, _ = shell
    for given, kept in (("abc-123", True), ("a b", False), ("x" * 65, False), ("", False)):
        response = await client.get("/items/1", headers={"X-Request-Id": given})
        assert (response.headers["x-request-id"] == given) is kept
        assert response.headers["x-request-id"]


async def test_metrics_know_templates_not_paths(shell: Shell) -> None:
    client, runtime = shell
    for path in ("/items/1", "/items/2", "/nowhere/1", "/nowhere/2"):
        await client.get(path)
    await client.request("BREW", "/items/1")

    def count(method: str, route: str, status: str) -> float | None:
        return runtime.metrics.registry.get_sample_value(
            "http_server_request_duration_seconds_count",
            {
                "http_request_method": method,
                "http_route": route,
                "http_response_status_code": status,
                "revision": "r1",
            },
        )

    assert count("GET", "/items/{item}", "200") == 2
    assert count("GET", "__unmatched__", "404") == 2
    assert count("_OTHER", "/items/{item}", "405") == 1
    assert runtime.metrics.registry.get_sample_value("http_server_active_requests", {"revision": "r1"}) == 0


async def test_a_leaving_process_closes_connections(shell: Shell) -> None:
    client, runtime = shell
    assert "connection" not in (await client.get("/items/1")).headers
    runtime.health.draining = True
    assert (await client.get("/items/1")).headers["connection"] == "close"


async def test_the_access_line_has_no_query_and_no_header_but_the_trace(shell: Shell) -> None:
    client, _ = shell
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    edge = logging.getLogger("taskservice.kit.edge")
    edge.addHandler(handler)
    edge.setLevel("INFO")
    try:
        trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        headers = {"Authorization": "Bearer hunter2", "traceparent": f"00-{trace}-{span}-01"}
        await client.get("/items/1?token=hunter2", headers=headers)
    finally:
        edge.removeHandler(handler)
        edge.setLevel("NOTSET")
    assert "hunter2" not in written.getvalue()
    line = json.loads(written.getvalue())
    assert (line["event"], line["route"], line["status"]) == ("http_request", "/items/{item}", 200)
    assert (line["trace_id"], line["span_id"]) == (trace, span)
