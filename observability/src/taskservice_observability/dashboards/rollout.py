"""Releases: where each stands, and how the candidate does beside the stable side."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from taskservice_observability import catalog, rules
from taskservice_observability.dashboards.layout import (
    AMBER,
    BLUE,
    CHOSEN,
    RED,
    Query,
    by_service,
    graph,
    number,
    page,
    row,
)  # fmt: skip
from taskservice_observability.expressions import REVISION, TASKSERVICE, grouped, select

UID = "taskservice-rollout"
ROLES = (*TASKSERVICE, "role", "revision")


def by_role(measured: object) -> str:
    """A value per revision, with the role that the revision has now."""
    roles = grouped("max", ROLES, select(catalog.REVISION_INFO, *CHOSEN))
    return f"{roles} * on (namespace, taskservice, revision) group_left () {select(measured, *CHOSEN)}"


def build() -> dashboard.Dashboard:
    phases = grouped("max", (*TASKSERVICE, "phase"), select(catalog.PHASE, *CHOSEN))
    unready = 'condition="Ready"', 'status="False"'
    failed = select(catalog.PHASE, *CHOSEN, 'phase="Failed"')
    return (
        page(
            UID,
            "TaskService / Releases",
            "Where each release stands, and how the candidate does beside the stable side.",
        )
        .with_row(row("Now"))
        .with_panel(
            number(
                "Under way",
                "TaskServices being released.",
                "short",
                Query(f"count({grouped('max', TASKSERVICE, select(catalog.ROLLOUT_STARTED, *CHOSEN))}) or vector(0)"),
                base=BLUE,
                span=6,
            )
        )
        .with_panel(
            number(
                "Longest",
                "How long the oldest of them has taken.",
                "s",
                Query(f"max(time() - {select(catalog.ROLLOUT_STARTED, *CHOSEN)}) or vector(0)"),
                limits=((1800, AMBER), (3600, RED)),
                span=6,
            )
        )
        .with_panel(
            number(
                "Given up",
                "TaskServices whose newest revision failed.",
                "short",
                Query(f"count({grouped('max', TASKSERVICE, failed)}) or vector(0)"),
                limits=((1, RED),),
                span=6,
            )
        )
        .with_panel(
            number(
                "Not ready",
                "TaskServices that are not in order.",
                "short",
                Query(
                    f"count({grouped('max', TASKSERVICE, select(catalog.CONDITION, *CHOSEN, *unready))}) or vector(0)"
                ),
                limits=((1, RED),),
                span=6,
            )
        )
        .with_row(row("Progress"))
        .with_panel(
            graph(
                "Phase",
                "1 while a TaskService is in that phase.",
                "short",
                Query(phases, by_service("{{phase}}")),
                span=12,
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Changes",
                "Rows of the rollout table that were taken, per five minutes.",
                "short",
                Query(f"sum by (reason) (increase({catalog.TRANSITIONS}[5m]))", "{{reason}}"),
                span=12,
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Pods of the live side",
                "Desired and ready.",
                "short",
                Query(
                    grouped("max", (*TASKSERVICE, "state"), select(catalog.REPLICAS, *CHOSEN)), by_service("{{state}}")
                ),
                span=12,
            )
        )
        .with_panel(
            graph(
                "Pods that answer, by revision",
                "As Prometheus sees them.",
                "short",
                Query(
                    f"sum by ({', '.join(REVISION)}) ({select(catalog.UP, _JOB, *CHOSEN)})", by_service("{{revision}}")
                ),
                span=12,
            )
        )
        .with_row(row("Candidate beside stable"))
        .with_panel(
            graph(
                "Requests",
                "Per second and role.",
                "reqps",
                Query(by_role(rules.REVISION_REQUESTS), by_service("{{role}} {{revision}}")),
            )
        )
        .with_panel(
            graph(
                "Errors",
                "Share of 5xx per role.",
                "percentunit",
                Query(by_role(rules.REVISION_ERRORS), by_service("{{role}} {{revision}}")),
            )
        )
        .with_panel(
            graph("p99", "Per role.", "s", Query(by_role(rules.REVISION_P99), by_service("{{role}} {{revision}}")))
        )
        .with_row(row("Builds"))
        .with_panel(
            graph(
                "Versions that run",
                "Pods per version and revision.",
                "short",
                Query(
                    f"count by (taskservice, version, revision) ({select(catalog.BUILD_INFO, *CHOSEN)})",
                    by_service("{{version}} {{revision}}"),
                ),
                span=12,
                stacked=True,
            )
        )
        .with_panel(
            graph(
                "Restarts",
                "Processes that began within ten minutes.",
                "short",
                Query(
                    f"count by (taskservice) (time() - {select(catalog.PROCESS_START, *CHOSEN)} < 600) or vector(0)",
                    by_service(),
                ),
                span=12,
            )
        )
    )


_JOB = f'job="{catalog.JOB_SERVICES}"'
