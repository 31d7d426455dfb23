"""What the driver tells of its connections, as metrics: how many are used, how many idle, who waits for one.

Names follow the OpenTelemetry database conventions. One pool per server of the database; shown is the sum of them.
"""

import asyncio
import threading
import weakref
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pymongo.monitoring import ConnectionPoolListener

BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)

Connection = tuple[Any, int]
"""A connection by its server and the number that its pool gave it."""


class PoolMetrics(ConnectionPoolListener):
    """Listens to the pools of one client; `largest` is what one of them may hold.

    Connections are kept by name and not counted, so that an event that comes twice or never does not shift the sums.
    One that never comes is the end of a wait that was cancelled: so who waits is remembered too, and one that has
    ended, or asks anew, waits no longer.
    """

    def __init__(self, registry: CollectorRegistry, largest: int) -> None:
        self._lock = threading.RLock()  # one driver tells from its threads; a collection of garbage may tell, too
        self._open: set[Connection] = set()
        self._used: set[Connection] = set()
        self._waiting: weakref.WeakKeyDictionary[Any, None] = weakref.WeakKeyDictionary()
        count = Gauge("db_client_connection_count", "Connections to the database", ("state",), registry=registry)
        count.labels("used").set_function(self._used_now)
        count.labels("idle").set_function(self._idle_now)
        Gauge(
            "db_client_connection_pending_requests", "Operations that wait for a connection", registry=registry
        ).set_function(self._pending)
        Gauge("db_client_connection_max", "Connections that there may be to one server", registry=registry).set(largest)
        self._waited = Histogram(
            "db_client_connection_wait_time_seconds", "Until there was a connection", buckets=BUCKETS, registry=registry
        )
        self._timeouts = Counter(
            "db_client_connection_timeouts", "Waits that ended without a connection", registry=registry
        )

    def _used_now(self) -> int:
        with self._lock:
            return len(self._used)

    def _idle_now(self) -> int:
        with self._lock:
            return len(self._open - self._used)

    def _pending(self) -> int:
        with self._lock:
            return sum(not (isinstance(waiting, asyncio.Task) and waiting.done()) for waiting in self._waiting)

    def connection_created(self, event: Any) -> None:
        with self._lock:
            self._open.add((event.address, event.connection_id))

    def connection_closed(self, event: Any) -> None:
        with self._lock:
            self._open.discard((event.address, event.connection_id))
            self._used.discard((event.address, event.connection_id))

    def connection_check_out_started(self, event: Any) -> None:
        with self._lock:
            self._waiting[_who()] = None

    def connection_checked_out(self, event: Any) -> None:
        with self._lock:
            self._waiting.pop(_who(), None)
            self._used.add((event.address, event.connection_id))
        self._waited.observe(event.duration)

    def connection_check_out_failed(self, event: Any) -> None:
        with self._lock:
            self._waiting.pop(_who(), None)
        if event.reason == "timeout":
            self._timeouts.inc()

    def connection_checked_in(self, event: Any) -> None:
        with self._lock:
            self._used.discard((event.address, event.connection_id))

    def connection_ready(self, event: Any) -> None: ...
    def pool_created(self, event: Any) -> None: ...
    def pool_ready(self, event: Any) -> None: ...
    def pool_cleared(self, event: Any) -> None: ...
    def pool_closed(self, event: Any) -> None: ...


def _who() -> Any:
    """The task that asks, or the thread where there are no tasks; each waits for one connection at a time."""
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:
        return threading.current_thread()
