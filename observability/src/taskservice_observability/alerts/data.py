"""Data: connections to MongoDB, the cache, the outbox and its relay, RabbitMQ."""

from taskservice_observability import catalog, rules
from taskservice_observability.alerts.model import DATA, WHICH, Alert, Severity
from taskservice_observability.expressions import TASKSERVICE, grouped, increase

_RABBIT = "/d/taskservice-data"

ALERTS = (
    Alert(
        "MongoPoolExhausted",
        f"{rules.POOL_USED} > 0.9 and {grouped('sum', TASKSERVICE, str(catalog.POOL_PENDING))} > 0",
        Severity.WARNING,
        f"{WHICH} waits for connections to MongoDB",
        f"{{{{ $value | humanizePercentage }}}} of the connections of {WHICH} are used, and operations wait.",
        DATA,
    ),
    Alert(
        "MongoPoolTimeouts",
        f"{increase(catalog.POOL_TIMEOUTS, by=TASKSERVICE)} > 0",
        Severity.CRITICAL,
        f"{WHICH} gets no connection to MongoDB",
        f"{{{{ $value | humanize }}}} operations of {WHICH} gave up waiting for a connection within five minutes.",
        DATA,
        hold="2m",
    ),
    Alert(
        "CacheAway",
        f"{rules.CACHE_AWAY} > 0.5",
        Severity.WARNING,
        f"{WHICH} does without Redis",
        f"{{{{ $value | humanizePercentage }}}} of the look-ups of {WHICH} in {{{{ $labels.cache }}}} find Redis away:"
        " answers are right, and slower.",
        DATA,
    ),
    Alert(
        "OutboxLagging",
        f"max by (namespace) ({catalog.OUTBOX_LAG}) > 120",
        Severity.WARNING,
        "events wait to be published in {{ $labels.namespace }}",
        "The oldest event in the outbox has waited for {{ $value | humanizeDuration }}.",
        _RABBIT,
    ),
    Alert(
        "OutboxNoRelay",
        f"max by (namespace) ({catalog.RELAY_LEADING}) < 1",
        Severity.CRITICAL,
        "nobody publishes events in {{ $labels.namespace }}",
        "Workers run in {{ $labels.namespace }}, but none of them holds the relay's lease: events wait, none is lost.",
        _RABBIT,
    ),
    Alert(
        "EventsDeadLettered",
        f"{increase(catalog.EVENTS_DEAD, by=('namespace', 'type'), window='15m')} > 0",
        Severity.WARNING,
        "events in {{ $labels.namespace }} were set aside",
        "{{ $value | humanize }} events of type {{ $labels.type }} could not be handled within fifteen minutes.",
        _RABBIT,
        hold="0s",
        keep="15m",
    ),
    Alert(
        "RabbitMQDown",
        f'{catalog.UP}{{job="{catalog.JOB_RABBITMQ}"}} == 0',
        Severity.CRITICAL,
        "RabbitMQ at {{ $labels.instance }} does not answer",
        "Events wait in the outbox until it is back; none is lost.",
        _RABBIT,
        hold="2m",
    ),
    Alert(
        "RabbitMQBacklog",
        f"sum by (job) ({catalog.RABBIT_READY}) > 1000",
        Severity.WARNING,
        "messages pile up in RabbitMQ",
        "{{ $value | humanize }} messages wait for a consumer.",
        _RABBIT,
        hold="10m",
    ),
    Alert(
        "RabbitMQHoldsPublishers",
        f"max by (job) ({catalog.RABBIT_MEMORY_ALARM}) > 0 or max by (job) ({catalog.RABBIT_DISK_ALARM}) > 0",
        Severity.CRITICAL,
        "RabbitMQ holds its publishers",
        "A resource alarm of RabbitMQ holds every publisher: events wait in the outbox.",
        _RABBIT,
        hold="2m",
    ),
)
