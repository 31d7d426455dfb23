"""What all pages share: variables, the look of a panel, and the way from an exemplar or a line to its trace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, logs, loki, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from taskservice_observability import catalog
from taskservice_observability.expressions import TASKSERVICE

METRICS = common.DataSourceRef(type_val="prometheus", uid="$datasource")
LOGS = common.DataSourceRef(type_val="loki", uid="$logs")
WINDOW = "$__rate_interval"
CHOSEN = ('namespace=~"$namespace"', 'taskservice=~"$taskservice"')
"""Matchers for what the page's variables choose."""

GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"


@dataclass(frozen=True)
class Query:
    """One query of a panel.  ``legend`` names its series; ``exemplars`` shows traces that are examples of it."""

    expr: str
    legend: str = ""
    exemplars: bool = False


def page(uid: str, title: str, about: str, *, services: bool = True, logs_too: bool = False) -> dashboard.Dashboard:
    """An empty page with its variables: data source, and where wanted namespace and TaskService."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["taskservice"])
        .editable()
        .timezone("browser")
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Metrics").type("prometheus"))
        .link(
            dashboard.DashboardLink("TaskServices")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["taskservice"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    if logs_too:
        built = built.with_variable(dashboard.DatasourceVariable("logs").label("Logs").type("loki"))
    if services:
        built = built.with_variable(
            _choice("namespace", "Namespace", f"label_values({catalog.BUILD_INFO}, namespace)")
        ).with_variable(
            _choice(
                "taskservice",
                "TaskService",
                f'label_values({catalog.BUILD_INFO}{{namespace=~"$namespace"}}, taskservice)',
            )
        )
    return built


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(METRICS)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Not `.*`, which would take in series without the label: those of other jobs.
        .all_value(".+")
    )


def graph(
    title: str,
    about: str,
    unit: str,
    *queries: Query,
    span: int = 8,
    height: int = 8,
    stacked: bool = False,
    least: float | None = 0,
    most: float | None = None,
) -> timeseries.Panel:
    """Lines over time.  ``unit`` is Grafana's name of it: s, reqps, percentunit, short, bytes."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(METRICS)
        .unit(unit)
        .span(span)
        .height(height)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .gradient_mode(common.GraphGradientMode.OPACITY)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if stacked:
        panel = panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if least is not None:
        panel = panel.min(least)
    if most is not None:
        panel = panel.max(most)
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number))
    return panel


def number(
    title: str,
    about: str,
    unit: str,
    query: Query,
    *,
    limits: tuple[tuple[float, str], ...] = (),
    base: str = GREEN,
    span: int = 4,
    height: int = 4,
) -> stat.Panel:
    """One number with a trace of its past.  ``limits``: from which value on which colour."""
    steps = [models.Threshold(value=None, color=base), *(models.Threshold(value=v, color=c) for v, c in limits)]
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(METRICS)
        .unit(unit)
        .span(span)
        .height(height)
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(_target(query, 0))
    )


def log_lines(title: str, about: str, expr: str, *, height: int = 10) -> logs.Panel:
    """Log lines, newest first; each opens its trace."""
    return (
        logs.Panel()
        .title(title)
        .description(about)
        .datasource(LOGS)
        .span(24)
        .height(height)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .with_target(loki.Dataquery().expr(expr).datasource(LOGS).ref_id("A"))
    )


def row(title: str) -> dashboard.Row:
    return dashboard.Row(title)


def encode(built: dashboard.Dashboard) -> dict[str, Any]:
    """A page as a JSON value."""
    return json.loads(JSONEncoder(sort_keys=True).encode(built.build()))


def by_service(legend: str = "") -> str:
    """A legend that names the TaskService."""
    return f"{{{{taskservice}}}} {legend}".strip()


def _target(query: Query, number: int) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number)).datasource(METRICS).range()
    if query.legend:
        target = target.legend_format(query.legend)
    return target.exemplar(True) if query.exemplars else target


__all__ = ["AMBER", "BLUE", "CHOSEN", "GREEN", "RED", "TASKSERVICE", "WINDOW", "Query", "by_service", "encode", "graph",
           "log_lines", "number", "page", "row"]  # fmt: skip
