"""Data: connections to MongoDB, the cache in Redis, the outbox and the events, RabbitMQ."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from taskservice_observability import catalog, rules
from taskservice_observability.dashboards.layout import (
    AMBER,
    BLUE,
    CHOSEN,
    RED,
    WINDOW,
    Query,
    by_service,
    graph,
    number,
    page,
    row,
)  # fmt: skip
from taskservice_observability.expressions import TASKSERVICE, grouped, quantile, rate, select

UID = "taskservice-data"
_NAMESPACE = 'namespace=~"$namespace"'


def build() -> dashboard.Dashboard:
    return (
        page(UID, "TaskService / Data", "MongoDB's connections, the cache, events from outbox to effect, RabbitMQ.")
        .with_row(row("Now"))
        .with_panel(
            number(
                "Connections used",
                "Of those there may be, in the busiest service.",
                "percentunit",
                Query(f"max({select(rules.POOL_USED, *CHOSEN)})"),
                limits=((0.7, AMBER), (0.9, RED)),
            )
        )
        .with_panel(
            number(
                "Cache hits",
                "Share of look-ups.",
                "percentunit",
                Query(f"avg({select(rules.CACHE_HITS, *CHOSEN)})"),
                base=BLUE,
            )
        )
        .with_panel(
            number(
                "Outbox lag",
                "Age of the oldest event that waits.",
                "s",
                Query(f"max({select(catalog.OUTBOX_LAG, _NAMESPACE)})"),
                limits=((30, AMBER), (120, RED)),
            )
        )
        .with_panel(
            number(
                "Outbox",
                "Events that wait.",
                "short",
                Query(f"max({select(catalog.OUTBOX_PENDING, _NAMESPACE)})"),
                base=BLUE,
            )
        )
        .with_panel(
            number(
                "Relays",
                "Workers that hold the relay's lease: must be one per database.",
                "short",
                Query(f"sum({select(catalog.RELAY_LEADING, _NAMESPACE)})"),
                base=RED,
                limits=((1, "green"),),
            )
        )
        .with_panel(
            number(
                "Waiting in RabbitMQ",
                "Messages without a consumer yet.",
                "short",
                Query(f"sum({catalog.RABBIT_READY})"),
                base=BLUE,
                limits=((1000, AMBER), (10000, RED)),
            )
        )
        .with_row(row("MongoDB"))
        .with_panel(
            graph(
                "Connections",
                "By state; the line above is what there may be to one server.",
                "short",
                Query(
                    grouped("sum", (*TASKSERVICE, "state"), select(catalog.POOL_CONNECTIONS, *CHOSEN)),
                    by_service("{{state}}"),
                ),
                Query(grouped("sum", TASKSERVICE, select(catalog.POOL_MAX, *CHOSEN)), by_service("at most")),
            )
        )
        .with_panel(
            graph(
                "Wait for a connection",
                "p50 and p99.",
                "s",
                *(
                    Query(
                        quantile(q, catalog.POOL_WAIT.bucket, *CHOSEN, by=TASKSERVICE, window=WINDOW),
                        by_service(f"p{q * 100:g}"),
                    )
                    for q in (0.5, 0.99)
                ),
            )
        )
        .with_panel(
            graph(
                "Waiting, and given up",
                "Operations that wait now; those that waited in vain, per second.",
                "short",
                Query(grouped("sum", TASKSERVICE, select(catalog.POOL_PENDING, *CHOSEN)), by_service("waiting")),
                Query(rate(catalog.POOL_TIMEOUTS, *CHOSEN, by=TASKSERVICE, window=WINDOW), by_service("given up")),
            )
        )
        .with_row(row("Redis"))
        .with_panel(
            graph(
                "Look-ups by result",
                "away: Redis could not be asked.",
                "ops",
                Query(
                    rate(catalog.CACHE_REQUESTS, *CHOSEN, by=("cache", "result"), window=WINDOW), "{{cache}} {{result}}"
                ),
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Hit ratio",
                "By cache.",
                "percentunit",
                Query(select(rules.CACHE_HITS, *CHOSEN), by_service("{{cache}}")),
                most=1,
            )
        )
        .with_panel(
            graph(
                "Fills",
                "Entries written after a miss.",
                "ops",
                Query(rate(catalog.CACHE_FILLS, *CHOSEN, by=("cache",), window=WINDOW), "{{cache}}"),
            )
        )
        .with_row(row("Events"))
        .with_panel(
            graph(
                "Published and handled",
                "Per second.",
                "ops",
                Query(rate(catalog.EVENTS_PUBLISHED, _NAMESPACE, by=("type",), window=WINDOW), "{{type}} published"),
                Query(
                    rate(catalog.EVENTS_HANDLED, _NAMESPACE, by=("type", "result"), window=WINDOW),
                    "{{type}} {{result}}",
                ),
            )
        )
        .with_panel(
            graph(
                "From change to effect",
                "p50 and p99.",
                "s",
                *(
                    Query(quantile(q, catalog.EVENTS_DELAY.bucket, _NAMESPACE, window=WINDOW), f"p{q * 100:g}")
                    for q in (0.5, 0.99)
                ),
            )
        )
        .with_panel(
            graph(
                "Trouble",
                "Not confirmed, failed, set aside, out of order; per second.",
                "ops",
                Query(rate(catalog.EVENTS_PUBLISH_FAILURES, _NAMESPACE, window=WINDOW), "not confirmed"),
                Query(
                    rate(catalog.EVENTS_FAILED, _NAMESPACE, by=("type", "error"), window=WINDOW), "{{type}} {{error}}"
                ),
                Query(rate(catalog.EVENTS_DEAD, _NAMESPACE, by=("type",), window=WINDOW), "{{type}} set aside"),
                Query(rate(catalog.EVENTS_GAPS, _NAMESPACE, window=WINDOW), "out of order"),
            )
        )
        .with_panel(
            graph(
                "Outbox over time",
                "Events that wait to be published.",
                "short",
                Query(f"max by (namespace) ({select(catalog.OUTBOX_PENDING, _NAMESPACE)})", "{{namespace}}"),
            )
        )
        .with_panel(
            graph(
                "Outbox lag over time",
                "Age of the oldest.",
                "s",
                Query(f"max by (namespace) ({select(catalog.OUTBOX_LAG, _NAMESPACE)})", "{{namespace}}"),
            )
        )
        .with_panel(
            graph(
                "Reminders",
                "Sent per second.",
                "ops",
                Query(rate(catalog.REMINDERS_SENT, _NAMESPACE, window=WINDOW), "sent"),
            )
        )
        .with_row(row("RabbitMQ"))
        .with_panel(
            graph(
                "Messages",
                "Waiting, and with a consumer.",
                "short",
                Query(f"sum({catalog.RABBIT_READY})", "waiting"),
                Query(f"sum({catalog.RABBIT_UNACKED})", "with a consumer"),
            )
        )
        .with_panel(
            graph(
                "In and out",
                "Messages per second.",
                "ops",
                Query(rate(catalog.RABBIT_PUBLISHED, window=WINDOW), "in"),
                Query(rate(catalog.RABBIT_DELIVERED, window=WINDOW), "out"),
            )
        )
        .with_panel(
            graph(
                "Connections and consumers",
                "Now; an alarm holds publishers.",
                "short",
                Query(f"sum({catalog.RABBIT_CONNECTIONS})", "connections"),
                Query(f"sum({catalog.RABBIT_CONSUMERS})", "consumers"),
                Query(f"max({catalog.RABBIT_MEMORY_ALARM})", "memory alarm"),
                Query(f"max({catalog.RABBIT_DISK_ALARM})", "disk alarm"),
            )
        )
    )
