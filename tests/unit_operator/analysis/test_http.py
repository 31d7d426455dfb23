"""The provider ``http`` against real sockets of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from taskservice_operator.analysis.http import BODY_LIMIT, measure_http
from taskservice_operator.api.spec import HttpCheck, Metric
from taskservice_operator.core.model import Measure

pytestmark = pytest.mark.anyio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """A web server whose answer a test may set."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.answer: Handler = self._ok
        self.port = 0
        self.connections: set[Any] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.connections.add(request.transport)
        return await self.answer(request)

    async def _ok(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


def measure(port: int, **check: Any) -> Measure:
    metric = Metric("smoke", "http", HttpCheck(**{"path": "/healthz", "requests": 3, "timeout_seconds": 1, **check}))
    return Measure(metric, "r1", "prePromotion", 0, "demo-preview", "127.0.0.1", port)


async def test_all_expected_answers_pass(site: Site) -> None:
    verdict, message = await measure_http(measure(site.port))
    assert verdict == "Pass"
    assert message == f"3 of 3 requests to http://demo-preview:{site.port}/healthz answered 200"


async def test_each_request_has_its_own_connection_and_names_the_service(site: Site) -> None:
    await measure_http(measure(site.port, headers={"X-Probe": "yes"}))
    assert len(site.connections) == 3
    assert {request.headers["Host"] for request in site.requests} == {"demo-preview"}
    assert {request.headers["X-Probe"] for request in site.requests} == {"yes"}


async def test_the_first_unexpected_status_fails(site: Site) -> None:
    async def second_is_broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500 if len(site.requests) == 2 else 200)

    site.answer = second_is_broken
    verdict, message = await measure_http(measure(site.port))
    assert verdict == "Fail"
    assert message.startswith("request 2 of 3")
    assert message.endswith("answered 500, expected 200")
    assert len(site.requests) == 2


async def test_redirects_are_not_followed(site: Site) -> None:
    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    site.answer = away
    assert (await measure_http(measure(site.port)))[0] == "Fail"
    assert (await measure_http(measure(site.port, expected_statuses=(302,))))[0] == "Pass"
    assert {request.path for request in site.requests} == {"/healthz"}


async def test_no_answer_in_time_fails(site: Site) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    site.answer = never
    verdict, message = await measure_http(measure(site.port, timeout_seconds=0.2))
    assert (verdict, "was not answered within 0.2 s" in message) == ("Fail", True)


async def test_a_connection_that_cannot_be_made_is_an_error() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        verdict, message = await measure_http(measure(free.getsockname()[1]))
    assert verdict == "Error"
    assert "could not connect" in message


async def test_an_endless_body_is_read_only_up_to_a_limit(site: Site) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * BODY_LIMIT)

    site.answer = endless
    assert (await measure_http(measure(site.port, requests=1)))[0] == "Pass"


async def test_headers_that_cannot_be_sent_are_an_error_and_not_a_crash(site: Site) -> None:
    verdict, _ = await measure_http(measure(site.port, headers={"X-Bad": "a\r\nb"}))
    assert verdict == "Error"
