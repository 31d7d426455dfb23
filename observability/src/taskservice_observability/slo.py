"""Error budgets: what of a TaskService's requests was good, and how fast its budget burns.

Multi-window, multi-burn-rate alerts after the Google SRE Workbook, chapter 5: a page when 2 % of a month's budget go
within an hour (14.4 times the sustainable rate, over 1 h and 5 m) or 5 % within six (6 times, over 6 h and 30 m), a
ticket when 10 % go within a day (3 times) or three (1 time).  The short window ends an alert soon after its cause.

The rules are made here once, with marks in place of one TaskService's values.  ``build`` writes them into the
operator's package, whose renderer fills the marks in (docs/adr/0015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from taskservice_observability import catalog
from taskservice_observability.expressions import TASKSERVICE, or_zero, rate, select

NAMESPACE, NAME, BUDGET, OBJECTIVE, BUCKET, PROMISE, DASHBOARD = (
    "@NAMESPACE@", "@TASKSERVICE@", "@BUDGET@", "@OBJECTIVE@", "@BUCKET@", "@PROMISE@", "@DASHBOARD@",
)  # fmt: skip
"""Marks.  BUDGET and OBJECTIVE are ratios, BUCKET the latency's bound as a regular expression of ``le``, PROMISE a
sentence's end for people, DASHBOARD a uid."""

WINDOWS = {"5m": 300, "30m": 1800, "1h": 3600, "2h": 7200, "6h": 21600, "1d": 86400, "3d": 259200}
"""Windows by name, in seconds."""
PERIOD = "30d"
"""What the budget is for."""
INTERVAL_SECONDS = 60
"""How often the rules are evaluated, whatever Prometheus' default: sums of recorded rates count requests by it."""
LEAST_BAD = 10
"""Fewer bad requests within the long window wake nobody, whatever their share: the guard where traffic is low."""

REQUESTS, ERRORS = "taskservice:slo_requests:rate5m", "taskservice:slo_errors:rate5m"
OBJECTIVES, REMAINING = "taskservice:slo_objective:ratio", f"taskservice:slo_budget_remaining:ratio{PERIOD}"

Rule = dict[str, Any]


@dataclass(frozen=True)
class Burn:
    """One pair of windows.  ``factor``: how many times faster than sustainable the budget burns."""

    factor: float
    long: str
    short: str
    severity: str
    hold: str


BURNS = (
    Burn(14.4, "1h", "5m", "critical", "2m"),
    Burn(6, "6h", "30m", "critical", "2m"),
    Burn(3, "1d", "2h", "warning", "15m"),
    Burn(1, "3d", "6h", "warning", "15m"),
)
ALERT_OF = {"critical": "TaskServiceErrorBudgetBurnFast", "warning": "TaskServiceErrorBudgetBurnSlow"}
UNMEASURABLE = "TaskServiceSLOUnmeasurable"
SLO_ALERTS = (*ALERT_OF.values(), UNMEASURABLE)


def errors_ratio(window: str) -> str:
    """The recorded share of bad requests over a window."""
    return f"taskservice:slo_errors:ratio_rate{window}"


def groups(slo: str) -> list[dict[str, Any]]:
    """The rule groups of ``availability`` or ``latency``, with marks."""
    return [
        {
            "name": f"taskservice-slo/{NAMESPACE}/{NAME}/{slo}",
            "interval": f"{INTERVAL_SECONDS}s",
            "rules": [*recordings(slo), *alerts(slo)],
        },
    ]


def recordings(slo: str) -> list[Rule]:
    """What is recorded: requests and bad requests per second, their ratio over every window, budget and objective.

    Windows above five minutes are averages of what was recorded, weighted by traffic: cheap, and the same for all.
    """
    mine = _own(slo)
    ratios = [
        _record(
            errors_ratio(window), f"{_average(ERRORS, mine, window)} / ({_average(REQUESTS, mine, window)} > 0)", slo
        )
        for window in WINDOWS
    ]
    spent = f"{_average(ERRORS, mine, PERIOD)} / ({_average(REQUESTS, mine, PERIOD)} > 0)"
    return [
        _record(REQUESTS, _requests(), slo),
        _record(ERRORS, _errors(slo), slo),
        *ratios,
        _record(OBJECTIVES, f"0 * {select(REQUESTS, *mine)} + {OBJECTIVE}", slo),
        _record(REMAINING, f"1 - ({spent}) / {BUDGET}", slo),
    ]


def alerts(slo: str) -> list[Rule]:
    """Burn-rate alerts, and one for an objective that cannot be measured."""
    return [*(_burn_alert(slo, burn) for burn in BURNS), *([_unmeasurable()] if slo == "latency" else [])]


def _burn_alert(slo: str, burn: Burn) -> Rule:
    mine = _own(slo)
    # A sum, not an average times the window: what is younger than the window would count as if it had gone on for all.
    bad = f"sum_over_time({select(ERRORS, *mine)}[{burn.long}]) * {INTERVAL_SECONDS}"
    limit = f"{burn.factor:g} * {BUDGET}"
    expr = (
        f"{select(errors_ratio(burn.long), *mine)} > {limit}"
        f" and {select(errors_ratio(burn.short), *mine)} > {limit}"
        f" and {bad} >= {LEAST_BAD}"
    )
    name = ALERT_OF[burn.severity]
    return {
        "alert": name,
        "expr": expr,
        "for": burn.hold,
        "keep_firing_for": "5m",
        "labels": {"severity": burn.severity, "long_window": burn.long, "short_window": burn.short},
        "annotations": _annotations(
            name,
            f"{NAMESPACE}/{NAME} burns its {slo} budget {burn.factor:g} times too fast",
            f"Over {burn.long}, {{{{ $value | humanizePercentage }}}} of the requests to {NAMESPACE}/{NAME} were bad;"
            f" promised is {PROMISE}.",
        ),
    }


def _unmeasurable() -> Rule:
    mine = _own("latency")
    return {
        "alert": UNMEASURABLE,
        "expr": f"{select(REQUESTS, *mine)} > 0 unless {select(ERRORS, *mine)}",
        "for": "30m",
        "labels": {"severity": "warning"},
        "annotations": _annotations(
            UNMEASURABLE,
            f"the latency objective of {NAMESPACE}/{NAME} cannot be measured",
            f"{NAMESPACE}/{NAME} answers requests, but no bucket of its histogram ends where spec.slo.latency does"
            f" ({PROMISE}).",
        ),
    }


def _annotations(alert: str, summary: str, description: str) -> dict[str, str]:
    return {
        "summary": summary,
        "description": description,
        "runbook_url": f"{{{{ $externalLabels.runbooks }}}}/{alert}.md",
        "dashboard_url": f"{{{{ $externalLabels.grafana }}}}/d/{DASHBOARD}",
    }


def _requests() -> str:
    return rate(catalog.HTTP_DURATION.count, *_target(), by=TASKSERVICE)


def _errors(slo: str) -> str:
    if slo == "availability":
        failed = rate(catalog.HTTP_DURATION.count, *_target(), 'http_response_status_code=~"5.."', by=TASKSERVICE)
        return or_zero(failed, _requests())
    # Without such a bucket there is no difference, and so no series: that is what UNMEASURABLE looks for.
    within = rate(catalog.HTTP_DURATION.bucket, *_target(), f'le=~"{BUCKET}"', by=TASKSERVICE)
    return f"clamp_min({_requests()} - {within}, 0)"


def _average(series: str, matchers: tuple[str, ...], window: str) -> str:
    selected = select(series, *matchers)
    return selected if window == "5m" else f"avg_over_time({selected}[{window}])"


def _target() -> tuple[str, ...]:
    return f'namespace="{NAMESPACE}"', f'taskservice="{NAME}"'


def _own(slo: str) -> tuple[str, ...]:
    return (*_target(), f'slo="{slo}"')


def _record(name: str, expr: str, slo: str) -> Rule:
    return {"record": name, "expr": expr, "labels": {"slo": slo}}
