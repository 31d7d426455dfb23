"""The outermost layer of both services: what holds for every request, whatever the route.

In one pass: bounded body, request id, revision and security headers, metrics, access line, and a problem
document for an exception that nobody handled. One ASGI middleware, because each layer costs per request.
"""

import logging
import random
import re
import time
from contextlib import AbstractContextManager, nullcontext

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskservice.kit import problems, trace_context
from taskservice.kit.errors import PayloadTooLarge, Problem
from taskservice.kit.health import Health
from taskservice.kit.logging import event
from taskservice.kit.metrics import UNMATCHED, Metrics

log = logging.getLogger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
READ_HEADERS = frozenset({b"x-request-id", b"content-length", b"transfer-encoding", trace_context.HEADER_BYTES})
NOTHING = nullcontext()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _trace(scope: Scope, sent: dict[bytes, bytes]) -> AbstractContextManager[None]:
    """The block in which a request belongs to its trace."""
    if (unrecorded := scope.get(trace_context.UNRECORDED)) is not None:
        return trace_context.unrecorded(unrecorded)
    named = sent.get(trace_context.HEADER_BYTES)
    return trace_context.following(named.decode("latin-1")) if named else NOTHING


class Edge:
    """ASGI middleware; see the module's docstring."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        health: Health,
        revision: str,
        max_body_bytes: int,
        access_log: bool,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._health = health
        self._max_body = max_body_bytes
        self._access_log = access_log
        self._headers = [
            (b"x-taskservice-revision", revision.encode("latin-1")),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        started = time.perf_counter()
        # One pass over the raw headers, here and in the answer: this is done for every request.
        sent = {name: value for name, value in scope["headers"] if name in READ_HEADERS}
        request_id = sent.get(b"x-request-id", b"").decode("latin-1")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = f"{random.getrandbits(64):016x}"
        status = 0

        async def send_decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._decorate(message, request_id)
            await send(message)

        self._metrics.active.inc()
        try:
            with _trace(scope, sent):
                try:
                    self._refuse_declared(sent)
                    await self._app(scope, self._bounded(receive, sent), send_decorated)
                except Problem as problem:
                    await problems.response(problem)(scope, receive, send_decorated)
                except Exception:
                    log.exception("unhandled_error", extra={"fields": {"request_id": request_id}})
                    if status:  # the answer has begun: the connection must break, or half of it looks whole
                        raise
                    await problems.response(Problem())(scope, receive, send_decorated)
                finally:
                    self._account(scope, request_id, status or 500, time.perf_counter() - started)
        finally:
            self._metrics.active.dec()

    def _decorate(self, message: Message, request_id: str) -> None:
        headers: list[tuple[bytes, bytes]] = [*message.get("headers", ()), *self._headers]
        headers.append((b"x-request-id", request_id.encode("latin-1")))
        for name, _ in headers:
            if name == b"cache-control":
                break
        else:
            headers.append((b"cache-control", b"no-store"))
        if self._health.draining:
            # Tells clients on kept connections to come back on a new one, which another replica accepts.
            headers = [(name, value) for name, value in headers if name != b"connection"]
            headers.append((b"connection", b"close"))
        message["headers"] = headers

    def _refuse_declared(self, sent: dict[bytes, bytes]) -> None:
        length = sent.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > self._max_body:
            raise PayloadTooLarge(f"The limit is {self._max_body} bytes.", headers={"Connection": "close"})

    def _bounded(self, receive: Receive, sent: dict[bytes, bytes]) -> Receive:
        if not (b"content-length" in sent or b"transfer-encoding" in sent):
            return receive  # a request without either has no body (RFC 9112, 6.3)
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body:
                # An HTTPException, because the framework turns any other exception into 400 here.
                raise HTTPException(413, f"The limit is {self._max_body} bytes.", {"Connection": "close"})
            return message

        return bounded

    def _account(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.observe_request(method, route, status, seconds)
        if self._access_log:
            event(
                log,
                "http_request",
                method=method,
                route=route,
                status=status,
                duration_ms=round(seconds * 1000, 2),
                request_id=request_id,
            )
