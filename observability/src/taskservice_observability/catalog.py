"""Every metric that the operator and the services export, by name: queries are built from these and no others.

``tests/unit_observability/test_catalog.py`` compares this page with the registries of both code bases, and
``tests/integration/observability`` with what a real Prometheus has scraped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Source(StrEnum):
    """Who exports a metric: every process of the sample, one of them, the operator, or a part that is not ours."""

    EVERY_SERVICE = "every service"
    AUTH = "auth"
    DATABASE_USER = "auth, tasks and worker"
    WORKER = "worker"
    OPERATOR = "operator"
    RABBITMQ = "RabbitMQ"
    KEEPER = "the keeper of Vault and backups"
    PROMETHEUS = "Prometheus"


@dataclass(frozen=True)
class Metric:
    """A metric as scraped.  ``labels`` are its own; the target's come with the scrape.  ``str()`` is its name."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    source: Source
    about: str

    def __str__(self) -> str:
        return self.name

    @property
    def bucket(self) -> str:
        return f"{self.name}_bucket"

    @property
    def count(self) -> str:
        return f"{self.name}_count"

    @property
    def sum(self) -> str:
        return f"{self.name}_sum"

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        return (self.bucket, self.count, self.sum) if self.kind is Kind.HISTOGRAM else (self.name,)


TARGET_LABELS = ("job", "instance", "namespace", "pod", "taskservice", "revision", "colour")
"""What scraping adds to every series of a TaskService's pod; a ``revision`` of its own says the same and is dropped."""
JOB_SERVICES, JOB_OPERATOR, JOB_RABBITMQ, JOB_KEEPER = "taskservice", "taskservice-operator", "rabbitmq", "keeper"
"""Values of the label ``job``, the same on every environment."""


def _counter(name: str, labels: tuple[str, ...], source: Source, about: str) -> Metric:
    return Metric(name, Kind.COUNTER, labels, source, about)


def _gauge(name: str, labels: tuple[str, ...], source: Source, about: str) -> Metric:
    return Metric(name, Kind.GAUGE, labels, source, about)


def _histogram(name: str, labels: tuple[str, ...], source: Source, about: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, labels, source, about)


# -- every process of the sample -------------------------------------------------------------------------------------
HTTP_DURATION = _histogram(
    "http_server_request_duration_seconds",
    ("http_request_method", "http_route", "http_response_status_code", "revision"),
    Source.EVERY_SERVICE,
    "HTTP requests by route template, and how long they took",
)
HTTP_ACTIVE = _gauge(
    "http_server_active_requests", ("revision",), Source.EVERY_SERVICE, "HTTP requests being answered now"
)
RPC_DURATION = _histogram(
    "rpc_server_call_duration_seconds",
    ("rpc_method", "rpc_response_status_code", "revision"),
    Source.EVERY_SERVICE,
    "gRPC calls answered",
)
CLIENT_DURATION = _histogram(
    "taskservice_client_call_duration_seconds",
    ("target", "code", "revision"),
    Source.EVERY_SERVICE,
    "attempts to ask another service",
)
CLIENT_RETRIES = _counter(
    "taskservice_client_retries_total", ("target",), Source.EVERY_SERVICE, "attempts that repeat another"
)
BREAKER_STATE = _gauge(
    "taskservice_circuit_breaker_state", ("target",), Source.EVERY_SERVICE, "0 closed, 1 half open, 2 open"
)
CACHE_REQUESTS = _counter(
    "taskservice_cache_requests_total",
    ("cache", "result"),
    Source.EVERY_SERVICE,
    "look-ups: hit, shared, miss, or away when Redis could not be asked",
)
CACHE_FILLS = _counter(
    "taskservice_cache_fills_total", ("cache",), Source.EVERY_SERVICE, "entries written to the cache"
)
BUILD_INFO = _gauge(
    "taskservice_build_info", ("service", "version", "revision"), Source.EVERY_SERVICE, "1; its labels name the build"
)

# -- those with a database -------------------------------------------------------------------------------------------
POOL_CONNECTIONS = _gauge(
    "db_client_connection_count", ("state",), Source.DATABASE_USER, "connections to MongoDB, used and idle"
)
POOL_PENDING = _gauge(
    "db_client_connection_pending_requests", (), Source.DATABASE_USER, "operations that wait for a connection"
)
POOL_MAX = _gauge("db_client_connection_max", (), Source.DATABASE_USER, "connections that there may be to one server")
POOL_WAIT = _histogram(
    "db_client_connection_wait_time_seconds", (), Source.DATABASE_USER, "time until there was a connection"
)
POOL_TIMEOUTS = _counter(
    "db_client_connection_timeouts_total", (), Source.DATABASE_USER, "waits that ended without a connection"
)

# -- auth ------------------------------------------------------------------------------------------------------------
PASSWORD_HASHES = _gauge(
    "taskservice_password_hashes", ("state",), Source.AUTH, "passwords being hashed, or waiting for it"
)
PASSWORD_HASHES_MAX = _gauge(
    "taskservice_password_hashes_max", ("state",), Source.AUTH, "how many of each there can be"
)

# -- worker ----------------------------------------------------------------------------------------------------------
EVENTS_PUBLISHED = _counter(
    "taskservice_events_published_total", ("type",), Source.WORKER, "events that the broker has confirmed"
)
EVENTS_PUBLISH_FAILURES = _counter(
    "taskservice_events_publish_failures_total", (), Source.WORKER, "events not confirmed; tried again"
)
EVENTS_HANDLED = _counter(
    "taskservice_events_handled_total", ("type", "result"), Source.WORKER, "events done with, by result"
)
EVENTS_FAILED = _counter(
    "taskservice_events_failed_total", ("type", "error"), Source.WORKER, "attempts that failed; tried again"
)
EVENTS_DEAD = _counter("taskservice_events_dead_total", ("type",), Source.WORKER, "messages put to the dead letters")
EVENTS_GAPS = _counter(
    "taskservice_events_gaps_total", (), Source.WORKER, "events that did not follow the one before of their task"
)
EVENTS_DELAY = _histogram("taskservice_events_delay_seconds", (), Source.WORKER, "from a change to its effect")
OUTBOX_PENDING = _gauge("taskservice_outbox_pending", (), Source.WORKER, "events that wait to be published")
OUTBOX_LAG = _gauge("taskservice_outbox_lag_seconds", (), Source.WORKER, "age of the oldest event that waits")
RELAY_LEADING = _gauge("taskservice_relay_leading", (), Source.WORKER, "1 in the worker that holds the relay's lease")
REMINDERS_SENT = _counter("taskservice_reminders_sent_total", (), Source.WORKER, "reminders sent")

# -- operator --------------------------------------------------------------------------------------------------------
QUEUE_DEPTH = _gauge("workqueue_depth", ("name",), Source.OPERATOR, "TaskServices that wait for a pass")
QUEUE_ADDS = _counter("workqueue_adds_total", ("name",), Source.OPERATOR, "keys put into the queue")
QUEUE_RETRIES = _counter("workqueue_retries_total", ("name",), Source.OPERATOR, "keys put back after a failure")
QUEUE_SECONDS = _histogram(
    "workqueue_queue_duration_seconds", ("name",), Source.OPERATOR, "from being due to being taken"
)
WORK_SECONDS = _histogram(
    "workqueue_work_duration_seconds", ("name",), Source.OPERATOR, "from being taken to being done"
)
RECONCILES = _counter("taskservice_reconcile_total", ("result",), Source.OPERATOR, "finished passes by result")
RECONCILE_SECONDS = _histogram("taskservice_reconcile_seconds", (), Source.OPERATOR, "duration of one pass")
TRANSITIONS = _counter(
    "taskservice_rollout_transitions_total", ("reason",), Source.OPERATOR, "changes worth an Event, by reason"
)
API_WRITES = _counter(
    "taskservice_api_writes_total", ("verb", "kind"), Source.OPERATOR, "write requests to the API server"
)
LEADER = _gauge("taskservice_leader", (), Source.OPERATOR, "1 in the operator that holds the lease")
RESOURCES = _gauge("taskservice_resources", (), Source.OPERATOR, "TaskServices known")
VAULT_REQUESTS = _counter(
    "taskservice_vault_requests_total", ("request", "result"), Source.OPERATOR, "requests to Vault, by result"
)
VAULT_TROUBLED = _gauge(
    "taskservice_vault_secrets_troubled", (), Source.OPERATOR, "secrets of Vault that cannot be read now"
)
PHASE = _gauge(
    "taskservice_status_phase", ("namespace", "taskservice", "phase"), Source.OPERATOR, "1 for the phase it is in"
)
CONDITION = _gauge(
    "taskservice_status_condition",
    ("namespace", "taskservice", "condition", "status"),
    Source.OPERATOR,
    "1 for the status that a condition has",
)
REVISION_INFO = _gauge(
    "taskservice_status_revision_info",
    ("namespace", "taskservice", "role", "revision"),
    Source.OPERATOR,
    "1; which revision is active, stable or candidate",
)
REPLICAS = _gauge(
    "taskservice_status_replicas",
    ("namespace", "taskservice", "state"),
    Source.OPERATOR,
    "pods of the live revision: desired and ready",
)
ROLLOUT_STARTED = _gauge(
    "taskservice_rollout_started_timestamp_seconds",
    ("namespace", "taskservice"),
    Source.OPERATOR,
    "when the release under way began; absent when there is none",
)

# -- every process of ours -------------------------------------------------------------------------------------------
PROCESS_CPU = _counter("process_cpu_seconds_total", (), Source.EVERY_SERVICE, "processor time used")
PROCESS_MEMORY = _gauge("process_resident_memory_bytes", (), Source.EVERY_SERVICE, "memory held")
PROCESS_VIRTUAL = _gauge("process_virtual_memory_bytes", (), Source.EVERY_SERVICE, "memory mapped")
PROCESS_START = _gauge("process_start_time_seconds", (), Source.EVERY_SERVICE, "when it began")
PROCESS_FDS = _gauge("process_open_fds", (), Source.EVERY_SERVICE, "file descriptors open")
PROCESS_MAX_FDS = _gauge("process_max_fds", (), Source.EVERY_SERVICE, "file descriptors that may be open")

# -- parts that are not ours -----------------------------------------------------------------------------------------
RABBIT_READY = _gauge("rabbitmq_queue_messages_ready", (), Source.RABBITMQ, "messages that wait for a consumer")
RABBIT_UNACKED = _gauge("rabbitmq_queue_messages_unacked", (), Source.RABBITMQ, "messages with a consumer")
RABBIT_CONSUMERS = _gauge("rabbitmq_queue_consumers", (), Source.RABBITMQ, "consumers")
RABBIT_CONNECTIONS = _gauge("rabbitmq_connections", (), Source.RABBITMQ, "connections")
RABBIT_PUBLISHED = _counter(
    "rabbitmq_global_messages_received_total", ("protocol",), Source.RABBITMQ, "messages published"
)
RABBIT_DELIVERED = _counter(
    "rabbitmq_global_messages_delivered_total", ("protocol", "queue_type"), Source.RABBITMQ, "messages delivered"
)
RABBIT_MEMORY_ALARM = _gauge(
    "rabbitmq_alarms_memory_used_watermark", (), Source.RABBITMQ, "1 while publishers are held for want of memory"
)
RABBIT_DISK_ALARM = _gauge(
    "rabbitmq_alarms_free_disk_space_watermark", (), Source.RABBITMQ, "1 while publishers are held for want of disk"
)
VAULT_SEALED = _gauge("keeper_vault_sealed", (), Source.KEEPER, "1 while Vault is sealed")
BACKUP_SUCCESS = _gauge(
    "keeper_backup_last_success_timestamp_seconds", ("target",), Source.KEEPER, "when a backup was last made; 0: never"
)
BACKUP_FAILURE = _gauge(
    "keeper_backup_last_failure_timestamp_seconds", ("target",), Source.KEEPER, "when a backup last failed; 0: never"
)
UP = _gauge("up", (), Source.PROMETHEUS, "1 for a target that answered the last scrape")
ALERTS = _gauge("ALERTS", ("alertname", "alertstate"), Source.PROMETHEUS, "1 for an alert that is pending or firing")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
BY_NAME = {metric.name: metric for metric in METRICS}


def of(*sources: Source) -> tuple[Metric, ...]:
    """The metrics that these export."""
    return tuple(metric for metric in METRICS if metric.source in sources)
