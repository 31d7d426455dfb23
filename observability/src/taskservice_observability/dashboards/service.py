"""Requests, errors and durations of TaskServices; what they hold, and what they say."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from taskservice_observability import catalog
from taskservice_observability.dashboards.layout import (
    AMBER,
    BLUE,
    CHOSEN,
    RED,
    WINDOW,
    Query,
    by_service,
    graph,
    log_lines,
    number,
    page,
    row,
)  # fmt: skip
from taskservice_observability.expressions import (
    REVISION,
    TASKSERVICE,
    grouped,
    or_zero,
    quantile,
    rate,
    ratio,
    select,
)  # fmt: skip

UID = "taskservice-service"
FAILED = 'http_response_status_code=~"5.."'
_ROUTE = (*TASKSERVICE, "http_request_method", "http_route")


def build() -> dashboard.Dashboard:
    count, bucket = catalog.HTTP_DURATION.count, catalog.HTTP_DURATION.bucket
    everything = rate(count, *CHOSEN, window=WINDOW)
    failed = or_zero(rate(count, *CHOSEN, FAILED, window=WINDOW), everything)
    by_name = rate(count, *CHOSEN, by=TASKSERVICE, window=WINDOW)
    failed_by_name = or_zero(rate(count, *CHOSEN, FAILED, by=TASKSERVICE, window=WINDOW), by_name)
    return (
        page(UID, "TaskService / Requests", "Rate, errors and duration by service, route and revision.", logs_too=True)
        .with_row(row("Now"))
        .with_panel(number("Requests", "All requests per second.", "reqps", Query(everything), base=BLUE, span=5))
        .with_panel(
            number(
                "Errors",
                "Share of requests that end in 5xx.",
                "percentunit",
                Query(ratio(failed, everything)),
                limits=((0.001, AMBER), (0.01, RED)),
                span=5,
            )
        )
        .with_panel(
            number(
                "Slow requests, p99",
                "One request in a hundred takes longer.",
                "s",
                Query(quantile(0.99, bucket, *CHOSEN, window=WINDOW)),
                limits=((0.3, AMBER), (1, RED)),
                span=5,
            )
        )
        .with_panel(
            number(
                "In flight",
                "Requests being answered.",
                "short",
                Query(f"sum({select(catalog.HTTP_ACTIVE, *CHOSEN)})"),
                base=BLUE,
                span=4,
            )
        )
        .with_panel(
            number(
                "Pods",
                "Pods that answer Prometheus.",
                "short",
                Query(f"sum({select(catalog.UP, _JOB, *CHOSEN)})"),
                base=BLUE,
                span=5,
            )
        )
        .with_row(row("Requests"))
        .with_panel(
            graph("Requests by service", "Requests per second.", "reqps", Query(by_name, by_service()), stacked=True)
        )
        .with_panel(
            graph(
                "Errors by service", "Share of 5xx.", "percentunit", Query(ratio(failed_by_name, by_name), by_service())
            )
        )
        .with_panel(
            graph(
                "Durations",
                "Half, nineteen in twenty, and ninety-nine in a hundred are faster. Dots are traces.",
                "s",
                *(
                    Query(quantile(q, bucket, *CHOSEN, window=WINDOW), f"p{q * 100:g}", exemplars=q == 0.99)
                    for q in (0.5, 0.95, 0.99)
                ),
            )
        )
        .with_panel(
            graph(
                "Requests by route",
                "Per route template, never per path.",
                "reqps",
                Query(rate(count, *CHOSEN, by=_ROUTE, window=WINDOW), "{{http_request_method}} {{http_route}}"),
            )
        )
        .with_panel(
            graph(
                "Answers by status",
                "Requests per second.",
                "reqps",
                Query(
                    rate(count, *CHOSEN, by=("http_response_status_code",), window=WINDOW),
                    "{{http_response_status_code}}",
                ),
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "p95 by route",
                "Nineteen in twenty are faster.",
                "s",
                Query(
                    quantile(0.95, bucket, *CHOSEN, by=_ROUTE, window=WINDOW), "{{http_request_method}} {{http_route}}"
                ),
            )
        )
        .with_row(row("Between services"))
        .with_panel(
            graph(
                "Calls made, p95",
                "Attempts to ask another service.",
                "s",
                Query(
                    quantile(0.95, catalog.CLIENT_DURATION.bucket, *CHOSEN, by=(*TASKSERVICE, "target"), window=WINDOW),
                    by_service("to {{target}}"),
                ),
            )
        )
        .with_panel(
            graph(
                "Calls made by outcome",
                "Attempts per second.",
                "reqps",
                Query(
                    rate(catalog.CLIENT_DURATION.count, *CHOSEN, by=("target", "code"), window=WINDOW),
                    "{{target}} {{code}}",
                ),
                Query(rate(catalog.CLIENT_RETRIES, *CHOSEN, by=("target",), window=WINDOW), "{{target}} again"),
            )
        )
        .with_panel(
            graph(
                "gRPC calls answered, p95",
                "By method.",
                "s",
                Query(
                    quantile(0.95, catalog.RPC_DURATION.bucket, *CHOSEN, by=("rpc_method",), window=WINDOW),
                    "{{rpc_method}}",
                ),
            )
        )
        .with_row(row("Processes"))
        .with_panel(
            graph(
                "Processor by revision",
                "Processors used.",
                "short",
                Query(rate(catalog.PROCESS_CPU, *CHOSEN, by=REVISION, window=WINDOW), by_service("{{revision}}")),
            )
        )
        .with_panel(
            graph(
                "Memory by revision",
                "Of the largest pod.",
                "bytes",
                Query(grouped("max", REVISION, select(catalog.PROCESS_MEMORY, *CHOSEN)), by_service("{{revision}}")),
            )
        )
        .with_panel(
            graph(
                "Passwords being checked",
                "Waiting ones are refused at the limit.",
                "short",
                Query(grouped("sum", (*TASKSERVICE, "state"), select(catalog.PASSWORD_HASHES, *CHOSEN)), "{{state}}"),
            )
        )
        .with_row(row("Logs"))
        .with_panel(
            log_lines(
                "Warnings and errors",
                "A line's trace_id opens its trace.",
                '{k8s_namespace_name=~"$namespace", taskservice=~"$taskservice"} | level=~"(?i)warning|error"',
            )
        )
    )


_JOB = f'job="{catalog.JOB_SERVICES}"'
