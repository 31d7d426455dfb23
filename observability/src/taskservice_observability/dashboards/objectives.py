"""Objectives: what of each budget is left, and how fast it goes; for all TaskServices, and a page for each."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from taskservice_observability import catalog, slo
from taskservice_observability.dashboards.layout import (
    AMBER,
    CHOSEN,
    GREEN,
    RED,
    Query,
    by_service,
    graph,
    number,
    page,
    row,
)  # fmt: skip
from taskservice_observability.expressions import quantile, select

UID = "taskservice-slo"
_BURNING = ('alertname=~"TaskServiceErrorBudgetBurn.*"', 'alertstate="firing"')


def build() -> dashboard.Dashboard:
    """All objectives side by side."""
    return _panels(
        page(UID, "TaskService / Objectives", "Error budgets of every TaskService with spec.slo."),
        CHOSEN,
        by_service("{{slo}}"),
    )


def build_one() -> dashboard.Dashboard:
    """One TaskService's, with marks: the operator fills them in."""
    mine = (f'namespace="{slo.NAMESPACE}"', f'taskservice="{slo.NAME}"')
    built = page(
        slo.DASHBOARD,
        f"Objectives / {slo.NAMESPACE} / {slo.NAME}",
        f"Error budget of {slo.NAMESPACE}/{slo.NAME}. Made by the operator from spec.slo.",
        services=False,
    )
    return _panels(built, mine, "{{slo}}")


def _panels(built: dashboard.Dashboard, mine: tuple[str, ...], legend: str) -> dashboard.Dashboard:
    alerts = f"sum({select(catalog.ALERTS, *_BURNING, *mine)}) or vector(0)"
    burn = {
        window: f"{select(slo.errors_ratio(window), *mine)} / (1 - {select(slo.OBJECTIVES, *mine)})"
        for window in slo.WINDOWS
    }
    return (
        built.with_row(row("Now"))
        .with_panel(
            number(
                "Least budget left",
                "Of thirty days, in the worst objective.",
                "percentunit",
                Query(f"min({select(slo.REMAINING, *mine)})"),
                base=RED,
                limits=((0, AMBER), (0.25, GREEN)),
                span=6,
            )
        )
        .with_panel(
            number(
                "Fastest burn, 1 h",
                "1 uses up the budget in thirty days; 14.4 wakes somebody.",
                "short",
                Query(f"max({burn['1h']})"),
                limits=((1, AMBER), (14.4, RED)),
                span=6,
            )
        )
        .with_panel(
            number(
                "Requests",
                "Per second, of those with an objective.",
                "reqps",
                Query(f"sum(max by (namespace, taskservice) ({select(slo.REQUESTS, *mine)}))"),
                base="blue",
                span=6,
            )
        )
        .with_panel(number("Alerts", "Budgets that burn too fast.", "short", Query(alerts), limits=((1, RED),), span=6))
        .with_row(row("Budget"))
        .with_panel(
            graph(
                "Budget left",
                "Of thirty days; below 0 the promise is broken.",
                "percentunit",
                Query(select(slo.REMAINING, *mine), legend),
                span=12,
                least=None,
                most=1,
            )
        )
        .with_panel(graph("Bad requests", "Per second.", "reqps", Query(select(slo.ERRORS, *mine), legend), span=12))
        .with_panel(
            graph(
                "Burn rate, pages",
                "Above 14.4 over 1 h, or above 6 over 6 h.",
                "short",
                *(Query(burn[window], f"{legend} {window}") for window in ("5m", "1h", "6h")),
                span=12,
            )
        )
        .with_panel(
            graph(
                "Burn rate, tickets",
                "Above 3 over a day, or above 1 over three.",
                "short",
                *(Query(burn[window], f"{legend} {window}") for window in ("2h", "1d", "3d")),
                span=12,
            )
        )
        .with_row(row("Durations"))
        .with_panel(
            graph(
                "Durations",
                "p50, p95 and p99 of all requests. Dots are traces.",
                "s",
                *(
                    Query(quantile(q, catalog.HTTP_DURATION.bucket, *mine), f"p{q * 100:g}", exemplars=q == 0.99)
                    for q in (0.5, 0.95, 0.99)
                ),
                span=24,
            )
        )
    )
