"""What the worker counts, on its management port."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WorkerMetrics:
    """Instruments by event type; types that are not ours are counted together, so that nobody makes series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = Counter(
            "taskservice_events_published", "Events the broker has confirmed", ("type",), registry=registry
        )
        self.publish_failures = Counter(
            "taskservice_events_publish_failures", "Events the broker has not confirmed; tried again", registry=registry
        )
        self.handled = Counter(
            "taskservice_events_handled",
            "Events done with; result is applied, duplicate, late or ignored",
            ("type", "result"),
            registry=registry,
        )
        self.failed = Counter(
            "taskservice_events_failed", "Attempts that failed; tried again", ("type", "error"), registry=registry
        )
        self.dead = Counter("taskservice_events_dead", "Messages put to the dead letters", ("type",), registry=registry)
        self.gaps = Counter(
            "taskservice_events_gaps", "Events that did not follow the one before of their task", registry=registry
        )
        self.delay = Histogram(
            "taskservice_events_delay_seconds", "From the change to its effect", buckets=BUCKETS, registry=registry
        )
        self.pending = Gauge(
            "taskservice_outbox_pending", "Events waiting to be published; counted up to 10000", registry=registry
        )
        self.lag = Gauge(
            "taskservice_outbox_lag_seconds", "Age of the oldest event that waits to be published", registry=registry
        )
        self.leading = Gauge(
            "taskservice_relay_leading",
            "1 in the worker that holds the lease of relay and scheduler",
            registry=registry,
        )
        self.reminders = Counter("taskservice_reminders_sent", "Reminders sent", registry=registry)
