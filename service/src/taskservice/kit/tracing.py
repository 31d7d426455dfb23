"""Spans by OpenTelemetry, sent by OTLP over HTTP; the only module that knows the SDK.

Requests are traced by FastAPI itself, the calls to MongoDB, Redis and other services by their instrumentations.
Without `TASKSERVICE_OTLP_ENDPOINT` nothing of it is imported and nothing costs. The caller decides about sampling; a
request that names no trace is sampled by `TASKSERVICE_TRACE_RATIO`.
"""

import os

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
    }


def configure(service: str, settings: Settings) -> None:
    """Starts recording, if an endpoint is set. Called once, before any client or app is made."""
    if settings.otlp_endpoint is None:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
    from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    resource = Resource.create(
        {
            "service.namespace": "taskservice",
            "service.name": service,
            "service.version": settings.version,
            "service.instance.id": os.environ.get("HOSTNAME", "local"),
            "taskservice.revision": settings.revision,
        }
    )
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(settings.trace_ratio))
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

    trace_context.current_span = current_span
