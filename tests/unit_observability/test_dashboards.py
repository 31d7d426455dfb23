"""Dashboards: stable uids, no data source of their own, queries of what exists, panels that explain themselves."""

import json
from typing import Any

import pytest

from taskservice_observability import catalog, rules
from taskservice_observability.build import objective_template
from taskservice_observability.dashboards import build_all
from testkit.promql import panels_of, queries_of, series_in

PAGES = {**build_all(), "of one TaskService": objective_template()["dashboard"]}
KNOWN = (
    {series for metric in catalog.METRICS for series in metric.series}
    | {each.name for each in rules.RECORDINGS}
    | {
        rule["record"]
        for group in objective_template()["groups"]["latency"]
        for rule in group["rules"]
        if "record" in rule
    }
)

page = pytest.mark.parametrize("dashboard", PAGES.values(), ids=PAGES.keys())


def test_uids_are_stable_because_bookmarks_and_alerts_name_them() -> None:
    assert set(build_all()) == {
        "taskservice-service",
        "taskservice-rollout",
        "taskservice-operator",
        "taskservice-data",
        "taskservice-slo",
    }


@page
def test_no_page_names_a_data_source(dashboard: dict[str, Any]) -> None:
    def sources(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["datasource"]["uid"]] if isinstance(value.get("datasource"), dict) else []
            return own + [uid for inner in value.values() for uid in sources(inner)]
        return [uid for inner in value for uid in sources(inner)] if isinstance(value, list) else []

    named = set(sources(dashboard))
    assert named <= {"$datasource", "$logs"}
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert {uid.removeprefix("$") for uid in named} <= variables


@page
def test_queries_read_only_what_is_exported_or_recorded(dashboard: dict[str, Any]) -> None:
    for title, target in queries_of(dashboard):
        if target["datasource"]["uid"] == "$datasource":
            named = series_in(target["expr"]) - {"le"}
            assert named, title
            assert named - KNOWN == set(), title


@page
def test_panels_explain_themselves_and_lie_beside_each_other(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    titles = [panel["title"] for panel in panels_of(dashboard)]
    assert len(set(titles)) == len(titles)
    for panel in panels_of(dashboard):
        assert panel["description"].endswith("."), panel["title"]
        if panel["type"] != "logs":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@page
def test_several_queries_of_a_panel_are_told_apart(dashboard: dict[str, Any]) -> None:
    for panel in panels_of(dashboard):
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        if len(references) > 1:
            assert all(target.get("legendFormat") for target in panel["targets"]), panel["title"]


def test_building_twice_gives_the_same() -> None:
    assert json.dumps(build_all(), sort_keys=True) == json.dumps(build_all(), sort_keys=True)
