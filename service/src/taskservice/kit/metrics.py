"""Prometheus instruments of one process, in a registry of their own.

Names follow the OpenTelemetry HTTP conventions; `http_route` is always the template, never the path.
`revision` separates two releases of the same service during a rollout.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from taskservice.kit import trace_context

# Creation times would double the number of series, and nothing reads them.
disable_created_metrics()

UNMATCHED = "__unmatched__"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """All instruments; one instance per app, handed to whatever counts something."""

    def __init__(self, service: str, version: str, revision: str) -> None:
        self.registry = CollectorRegistry()
        self.revision = revision
        ProcessCollector(registry=self.registry)
        self._duration = Histogram(
            "http_server_request_duration_seconds",
            "Duration of HTTP requests",
            ("http_request_method", "http_route", "http_response_status_code", "revision"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.active = Gauge(
            "http_server_active_requests",
            "HTTP requests being answered",
            ("revision",),
            registry=self.registry,
        ).labels(revision)
        self._cache = Counter(
            "taskservice_cache_requests",
            "Look-ups in the cache; away means that it could not be asked or was not certain",
            ("cache", "result"),
            registry=self.registry,
        )
        self._served = Histogram(
            "rpc_server_call_duration_seconds",
            "Duration of gRPC calls answered",
            ("rpc_method", "rpc_response_status_code", "revision"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._made = Histogram(
            "taskservice_client_call_duration_seconds",
            "Duration of one attempt to ask another service; the code is that of gRPC or HTTP, or what went wrong",
            ("target", "code", "revision"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._retries = Counter(
            "taskservice_client_retries",
            "Attempts to ask another service again, within the retry budget",
            ("target",),
            registry=self.registry,
        )
        self._breakers = Gauge(
            "taskservice_circuit_breaker_state",
            "0 closed, 1 half open, 2 open: calls are refused at once",
            ("target",),
            registry=self.registry,
        )
        self._cache_fills = Counter(
            "taskservice_cache_fills", "Entries written to the cache", ("cache",), registry=self.registry
        )
        info = Gauge(
            "taskservice_build_info",
            "Constant 1; its labels name the build",
            ("service", "version", "revision"),
            registry=self.registry,
        )
        info.labels(service, version, revision).set(1)
        # Kept: finding a series by its labels costs more than counting.
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self._looked_up: dict[tuple[str, str], Counter] = {}

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one answered request."""
        key = (method, route, status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._duration.labels(method, route, str(status), self.revision)
        # A sampled trace as an example of its bucket, for those who scrape OpenMetrics.
        context = trace_context.current()
        series.observe(seconds, {"trace_id": context.trace_id} if context and context.sampled else None)

    def count_cache(self, cache: str, result: str, number: int = 1) -> None:
        """Counts look-ups: `hit`, `shared` (with another that missed), `miss` or `away`."""
        series = self._looked_up.get((cache, result))
        if series is None:
            series = self._looked_up[cache, result] = self._cache.labels(cache, result)
        series.inc(number)

    def count_cache_fill(self, cache: str, number: int = 1) -> None:
        """Counts entries that were written after a miss."""
        self._cache_fills.labels(cache).inc(number)

    def observe_call_served(self, method: str, code: str, seconds: float) -> None:
        """Counts one gRPC call that was answered, with the name of its status code."""
        self._served.labels(method, code, self.revision).observe(seconds)

    def observe_call_made(self, target: str, code: str, seconds: float) -> None:
        """Counts one attempt to ask another service."""
        self._made.labels(target, code, self.revision).observe(seconds)

    def count_retry(self, target: str) -> None:
        """Counts one attempt that repeats another."""
        self._retries.labels(target).inc()

    def breaker_state(self, target: str, state: int) -> None:
        """Shows a breaker as closed (0), half open (1) or open (2)."""
        self._breakers.labels(target).set(state)
