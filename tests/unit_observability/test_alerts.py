"""Every alert says what is wrong, how bad it is, where to look and what to do, and reads series that exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from taskservice_observability import catalog, rules, slo
from taskservice_observability.alerts import ALL
from taskservice_observability.build import alert_groups, objective_template, recording_groups
from taskservice_observability.dashboards import build_all
from testkit.promql import series_in

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "observability" / "runbooks"

RECORDED = {each.name for each in rules.RECORDINGS}
OBJECTIVE_RULES = [
    rule
    for name in ("availability", "latency")
    for group in objective_template()["groups"][name]
    for rule in group["rules"]
]
OBJECTIVE_RECORDED = {rule["record"] for rule in OBJECTIVE_RULES if "record" in rule}
STORED = {series for metric in catalog.METRICS for series in metric.series}
ALERT_RULES = [rule for group in alert_groups() for rule in group["rules"]] + [
    r for r in OBJECTIVE_RULES if "alert" in r
]
NAMES = sorted({rule["alert"] for rule in ALERT_RULES})


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert rule["labels"]["severity"] in ("critical", "warning", "none")
    assert annotations["summary"]
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{rule['alert']}.md"
    assert annotations["dashboard_url"].startswith("{{ $externalLabels.grafana }}/d/")


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_an_alert_opens_a_dashboard_that_exists(rule: dict[str, Any]) -> None:
    uid = re.search(r"/d/([^?]+)", rule["annotations"]["dashboard_url"])
    assert uid is not None
    assert uid[1] in {*build_all(), slo.DASHBOARD}


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_runbook_of_its_name(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    for part in ("**What it means.**", "**Look.**", "**Do.**"):
        assert part in text


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == NAMES


@pytest.mark.parametrize(
    "expr",
    [rule["expr"] for rule in ALERT_RULES]
    + [rule["expr"] for group in recording_groups() for rule in group["rules"]]
    + [rule["expr"] for rule in OBJECTIVE_RULES],
)
def test_an_expression_reads_only_what_is_exported_or_recorded(expr: str) -> None:
    named = series_in(expr) - {"le"}
    assert named - STORED - RECORDED - OBJECTIVE_RECORDED == set()
    assert named or expr == "vector(1)"


def test_alert_names_are_unique() -> None:
    assert len({alert.name for alert in ALL}) == len(ALL)


def test_recorded_series_are_named_level_metric_operation() -> None:
    for name in RECORDED | OBJECTIVE_RECORDED:
        assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name), name
