"""The operator: who leads, what it does, how long TaskServices wait for it, and what it asks of the API server."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from taskservice_observability import catalog, rules
from taskservice_observability.dashboards.layout import AMBER, BLUE, RED, WINDOW, Query, graph, number, page, row
from taskservice_observability.expressions import quantile, rate, select

UID = "taskservice-operator"
_JOB = f'job="{catalog.JOB_OPERATOR}"'


def build() -> dashboard.Dashboard:
    return (
        page(UID, "TaskService / Operator", "Leadership, passes, queue and writes of the operator.", services=False)
        .with_row(row("Now"))
        .with_panel(
            number(
                "Leaders",
                "Must be one.",
                "short",
                Query(f"sum({catalog.LEADER})"),
                base=RED,
                limits=((1, "green"), (2, RED)),
            )
        )
        .with_panel(number("TaskServices", "That it knows.", "short", Query(f"max({catalog.RESOURCES})"), base=BLUE))
        .with_panel(number("Passes", "Per second.", "ops", Query(rate(catalog.RECONCILES, window=WINDOW)), base=BLUE))
        .with_panel(
            number(
                "Failed passes",
                "Share of the last five minutes.",
                "percentunit",
                Query(str(rules.RECONCILE_ERRORS)),
                limits=((0.01, AMBER), (0.1, RED)),
            )
        )
        .with_panel(
            number(
                "Waiting",
                "TaskServices in the queue.",
                "short",
                Query(f"sum({catalog.QUEUE_DEPTH})"),
                limits=((100, AMBER), (1000, RED)),
            )
        )
        .with_panel(
            number(
                "Writes",
                "To the API server, per second, leases included.",
                "ops",
                Query(rate(catalog.API_WRITES, window=WINDOW)),
                base=BLUE,
            )
        )
        .with_row(row("Work"))
        .with_panel(
            graph(
                "Passes by result",
                "Idle ones ask nothing of the API server.",
                "ops",
                Query(rate(catalog.RECONCILES, by=("result",), window=WINDOW), "{{result}}"),
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Duration of a pass",
                "From glance to last write.",
                "s",
                *(
                    Query(quantile(q, catalog.RECONCILE_SECONDS.bucket, window=WINDOW), f"p{q * 100:g}")
                    for q in (0.5, 0.99)
                ),
            )
        )
        .with_panel(
            graph(
                "Changes announced",
                "Per second, by reason.",
                "ops",
                Query(rate(catalog.TRANSITIONS, by=("reason",), window=WINDOW), "{{reason}}"),
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Queue",
                "Keys put in, and put back after a failure.",
                "ops",
                Query(rate(catalog.QUEUE_ADDS, window=WINDOW), "added"),
                Query(rate(catalog.QUEUE_RETRIES, window=WINDOW), "again"),
            )
        )
        .with_panel(
            graph(
                "Waiting and working",
                "p99 of both.",
                "s",
                Query(quantile(0.99, catalog.QUEUE_SECONDS.bucket, window=WINDOW), "waiting"),
                Query(quantile(0.99, catalog.WORK_SECONDS.bucket, window=WINDOW), "working"),
            )
        )
        .with_panel(
            graph(
                "Writes by kind",
                "Requests that change something.",
                "ops",
                Query(rate(catalog.API_WRITES, by=("verb", "kind"), window=WINDOW), "{{verb}} {{kind}}"),
                stacked=True,
            )
        )
        .with_row(row("Vault"))
        .with_panel(
            graph(
                "Requests to Vault",
                "Per second, by result.",
                "ops",
                Query(rate(catalog.VAULT_REQUESTS, by=("request", "result"), window=WINDOW), "{{request}} {{result}}"),
                span=12,
            )
        )
        .with_panel(
            graph(
                "Secrets in trouble",
                "Secrets of Vault that cannot be read now.",
                "short",
                Query(f"max({catalog.VAULT_TROUBLED})", "secrets"),
                span=12,
            )
        )
        .with_row(row("Processes"))
        .with_panel(
            graph(
                "Leader",
                "1 in the pod that leads.",
                "short",
                Query(f"max by (instance) ({catalog.LEADER})", "{{instance}}"),
            )
        )
        .with_panel(
            graph(
                "Processor",
                "Processors used.",
                "short",
                Query(rate(catalog.PROCESS_CPU, _JOB, by=("instance",), window=WINDOW), "{{instance}}"),
            )
        )
        .with_panel(
            graph(
                "Memory",
                "Held.",
                "bytes",
                Query(f"max by (instance) ({select(catalog.PROCESS_MEMORY, _JOB)})", "{{instance}}"),
            )
        )
    )
