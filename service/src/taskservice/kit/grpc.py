"""The only door to gRPC: a server that leaves as gracefully as the HTTP one, and channels that follow the pods.

The server authenticates every call but those of the health service, bounds its time, and turns a `Problem` into a
status. Connections are ended after a while, so that clients come to know of pods that are new; when the process is
told to leave, it says so on every connection at once (GOAWAY) and finishes what is in flight. Encryption is left to
the mesh.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import grpc.aio
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc

from taskservice.kit import trace_context
from taskservice.kit.errors import Problem
from taskservice.kit.health import Health
from taskservice.kit.logging import event
from taskservice.kit.metrics import Metrics
from taskservice.kit.service_token import ServiceToken
from taskservice.kit.settings import SettingsError

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
UNGUARDED = "/grpc.health.v1.Health/"
STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
STRANGER = "A service token is needed, and this is not one."
Handler = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True)
class Registration:
    """A service's full name, and how it is added to a server."""

    name: str
    add: Callable[[grpc.aio.Server], None]


@dataclass(frozen=True)
class Listening:
    """Where and how a server listens. `longest_seconds` bounds a call whose caller set no deadline, or a later one."""

    host: str
    port: int
    connection_seconds: float = 60.0
    grace_seconds: float = 25.0
    longest_seconds: float = 5.0
    reflection: bool = False
    access_log: bool = True


@asynccontextmanager
async def serving(
    listening: Listening,
    services: Sequence[Registration],
    *,
    token: ServiceToken,
    health: Health,
    metrics: Metrics,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
) -> AsyncIterator[None]:
    """Serves until the block ends, or until the process drains. Raises SettingsError when the port is taken."""
    server = grpc.aio.server(
        interceptors=[*interceptors, _Edge(listening, token, metrics)], options=_server_options(listening)
    )
    for service in services:
        service.add(server)
    servicer = grpc_health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue] - set at import
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if listening.reflection:
        _reflect(server, services)
    address = f"{listening.host}:{listening.port}"
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        raise SettingsError(f"TASKSERVICE_GRPC_PORT: cannot listen on {address}.") from None
    await server.start()

    pending: set[asyncio.Task[None]] = set()

    async def tell() -> None:
        status = health_pb2.HealthCheckResponse.SERVING if health.ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *(service.name for service in services)):
            await servicer.set(name, status)
        if health.draining:
            await server.stop(listening.grace_seconds)

    def changed() -> None:
        task = asyncio.create_task(tell())
        pending.add(task)
        task.add_done_callback(pending.discard)

    await tell()
    health.watch(changed)
    event(log, "serving_grpc", port=listening.port)
    try:
        yield
    finally:
        health.unwatch(changed)
        await server.stop(listening.grace_seconds)
        await asyncio.gather(*pending, return_exceptions=True)


def channel(
    target: str, *, user_agent: str, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
) -> grpc.aio.Channel:
    """A channel that spreads calls over every address of `target` and soon asks again when one goes away."""
    service_config = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
    options = [
        ("grpc.service_config", service_config),
        ("grpc.primary_user_agent", user_agent),
        ("grpc.dns_min_time_between_resolutions_ms", 1000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # A peer that vanished without a word is found out while nothing else would.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
        ("grpc.enable_http_proxy", 0),
    ]
    return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)


def _server_options(listening: Listening) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # two processes on one port would be a mistake that nobody notices
        ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        ("grpc.max_concurrent_streams", 1000),
        ("grpc.max_connection_age_ms", int(listening.connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(listening.grace_seconds * 1000)),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _reflect(server: grpc.aio.Server, services: Sequence[Registration]) -> None:
    from grpc_reflection.v1alpha import reflection  # imported late: off by default

    names = [service.name for service in services]
    reflection.enable_server_reflection([*names, grpc_health.SERVICE_NAME, reflection.SERVICE_NAME], server)


class _Refusal(Exception):
    """How a call ends that is not answered."""

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class _Edge(grpc.aio.ServerInterceptor):
    """What holds for every call, as `kit.edge` for every request: caller, time, status, metrics, a line in the log."""

    def __init__(self, listening: Listening, token: ServiceToken, metrics: Metrics) -> None:
        self._listening = listening
        self._token = token
        self._metrics = metrics

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or method.startswith(UNGUARDED):
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        accepted = self._token.accepts(metadata.get("authorization"))
        if handler.unary_unary is None:
            return handler if accepted else grpc.stream_stream_rpc_method_handler(_refuse_stream)

        async def guarded(request: Any, context: Any) -> Any:
            with trace_context.following(metadata.get("traceparent")):
                return await self._call(handler.unary_unary, method, accepted, request, context)

        return grpc.unary_unary_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _call(self, inner: Handler, method: str, accepted: bool, request: Any, context: Any) -> Any:
        started = time.perf_counter()
        code = grpc.StatusCode.CANCELLED  # unless something below happens first
        try:
            answer = await self._answer(inner, method, accepted, request, context)
            code = grpc.StatusCode.OK
            return answer
        except _Refusal as refusal:
            code = refusal.code
            await context.abort(code, str(refusal))
        finally:
            seconds = time.perf_counter() - started
            self._metrics.observe_call_served(method.lstrip("/"), code.name, seconds)
            if self._listening.access_log:
                event(log, "grpc_request", method=method, status=code.name, duration_ms=round(seconds * 1000, 2))

    async def _answer(self, inner: Handler, method: str, accepted: bool, request: Any, context: Any) -> Any:
        if not accepted:
            raise _Refusal(grpc.StatusCode.UNAUTHENTICATED, STRANGER)
        try:
            async with asyncio.timeout(self._seconds(context)):
                return await inner(request, context)
        except TimeoutError:
            raise _Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "The answer was not there in time.") from None
        except Problem as problem:
            code = STATUS.get(problem.status, grpc.StatusCode.INTERNAL)
            raise _Refusal(code, problem.detail or problem.title) from None
        except Exception:
            log.exception("unhandled_error", extra={"fields": {"method": method}})
            raise _Refusal(grpc.StatusCode.INTERNAL, Problem.title) from None

    def _seconds(self, context: Any) -> float:
        left = context.time_remaining()
        longest = self._listening.longest_seconds
        return longest if left is None else min(left, longest)


async def _refuse_stream(_: Any, context: Any) -> NoReturn:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, STRANGER)
    raise AssertionError("abort raises")
