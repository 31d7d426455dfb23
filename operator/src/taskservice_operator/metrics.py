"""The operator's own instruments, on a registry that is passed in: two operators in one test do not meet.

Queue metrics carry client-go's names, so that dashboards made for Go controllers work unchanged.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

QUEUE = "taskservice"
"""The value of the label ``name`` on every ``workqueue_*`` metric."""

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Every instrument of one operator.  Durations are in seconds."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        named = {"registry": self.registry, "labelnames": ("name",)}
        self.depth = Gauge("workqueue_depth", "Keys waiting now.", **named).labels(QUEUE)
        self.adds = Counter("workqueue_adds_total", "Keys put into the queue.", **named).labels(QUEUE)
        self.retries = Counter("workqueue_retries_total", "Keys put back after a failure.", **named).labels(QUEUE)
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds", "Time from being due to being taken.", buckets=_SECONDS, **named
        ).labels(QUEUE)
        self.work_seconds = Histogram(
            "workqueue_work_duration_seconds", "Time from being taken to being done.", buckets=_SECONDS, **named
        ).labels(QUEUE)
        self.reconciles = Counter(
            "taskservice_reconcile_total",
            "Finished passes by result: idle, held, changed, gone, refused, retried or failed.",
            ("result",),
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "taskservice_reconcile_seconds", "Duration of one pass.", buckets=_SECONDS, registry=self.registry
        )
        self.transitions = Counter(
            "taskservice_rollout_transitions_total",
            "Changes worth an Event, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.writes = Counter(
            "taskservice_api_writes_total",
            "Write requests sent to the API server, leases included.",
            ("verb", "kind"),
            registry=self.registry,
        )
        self.vault_requests = Counter(
            "taskservice_vault_requests_total",
            "Requests sent to Vault: login, renew or read; result ok, or the reason as in conditions.",
            ("request", "result"),
            registry=self.registry,
        )
        self.vault_troubled = Gauge(
            "taskservice_vault_secrets_troubled",
            "Vault secrets that TaskServices ask for and that could not be read the last time.",
            registry=self.registry,
        )
        self.leader = Gauge("taskservice_leader", "1 while this process holds the lease.", registry=self.registry)
        self.objects = Gauge("taskservice_resources", "TaskServices known.", registry=self.registry)

    def count_write(self, verb: str, kind: str) -> None:
        """Count one write request: ``verb`` is create, apply, update, patch or delete."""
        self.writes.labels(verb, kind).inc()

    def count_vault(self, request: str, result: str) -> None:
        """Count one request to Vault and its result."""
        self.vault_requests.labels(request, result).inc()
