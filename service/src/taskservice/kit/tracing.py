"""Spans by OpenTelemetry, sent by OTLP over HTTP; the only module that knows the SDK.

Requests are traced by FastAPI itself, the calls to MongoDB, Redis and other services by their instrumentations.
Without `TASKSERVICE_OTLP_ENDPOINT` nothing of it is imported and nothing costs. The caller decides about sampling; a
request that names no trace is sampled by `TASKSERVICE_TRACE_RATIO`. That is decided before a span is made: one that is
made and then dropped costs nearly as much as one that is sent, and so do those of the clients that hang on it.
"""

import os
import random
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from fastapi.telemetry import TelemetryConfig

from taskservice.kit import trace_context
from taskservice.kit.settings import Settings
from taskservice.kit.trace_context import TraceContext


def fastapi_telemetry(settings: Settings) -> TelemetryConfig:
    """What FastAPI records: one span a request, or nothing. Metrics and logs are our own."""
    return {
        "tracing": settings.otlp_endpoint is not None,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": AtTheEdge(settings.trace_ratio).excludes,
    }


class AtTheEdge:
    """Decides which requests are recorded; `ratio` of those whose caller did not decide."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def excludes(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether FastAPI makes no span of a request. If so, the scope says which trace it belongs to all the same."""
        named = None
        for name, value in scope["headers"]:
            if name == trace_context.HEADER_BYTES:
                named = trace_context.parse(value.decode("latin-1"))
        if named.sampled if named else random.random() < self._ratio:  # noqa: S311 - no secret
            return False
        scope[trace_context.UNRECORDED] = named or trace_context.fresh()
        return True


def _sampler(ratio: float) -> Any:
    """What the parent says; of spans without one, `ratio`, but every request that was not excluded."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
    from opentelemetry.trace import SpanKind

    class Root(Sampler):
        def __init__(self) -> None:
            self._others = TraceIdRatioBased(ratio)

        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: SpanKind | None = None,
            attributes: Any = None,
            links: Any = None,
            trace_state: Any = None,
        ) -> SamplingResult:
            # Of the servers, only FastAPI speaks of paths.
            decided = kind is SpanKind.SERVER and "url.path" in (attributes or {})
            sampler = ALWAYS_ON if decided else self._others
            return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

        def get_description(self) -> str:
            return f"Root{{{ratio}}}"

    return ParentBased(Root())


def configure(service: str, settings: Settings) -> None:
    """Starts recording, if an endpoint is set. Called once, before any client or app is made."""
    if settings.otlp_endpoint is None:
        return
    from opentelemetry import context as spans
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
    from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.instrumentation.utils import suppress_instrumentation
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {
            "service.namespace": "taskservice",
            "service.name": service,
            "service.version": settings.version,
            "service.instance.id": os.environ.get("HOSTNAME", "local"),
            "taskservice.revision": settings.revision,
        }
    )
    provider = TracerProvider(resource=resource, sampler=_sampler(settings.trace_ratio))
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    for instrumentor in (
        PymongoInstrumentor(),
        RedisInstrumentor(),
        HTTPX2ClientInstrumentor(),
        GrpcAioInstrumentorClient(),
        GrpcAioInstrumentorServer(),
    ):
        # The versions are locked together; the check would read every installed distribution at start.
        instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)

    def current_span() -> TraceContext | None:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", bool(context.trace_flags.sampled))

    with suppress_instrumentation():
        suppressed = spans.get_current()

    @contextmanager
    def without_spans() -> Iterator[None]:
        token = spans.attach(suppressed)
        try:
            yield
        finally:
            spans.detach(token)

    trace_context.current_span = current_span
    trace_context.without_spans = without_spans
