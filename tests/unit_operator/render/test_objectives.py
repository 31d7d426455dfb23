"""Rules and dashboard of a TaskService with ``spec.slo``: the marks are filled in, and the numbers are exact."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from taskservice_observability import slo as maths
from taskservice_operator.api.spec import Latency, Slo
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.objectives import build_objectives

OWNER = Owner("web", "shop", "uid-web")
BOTH = Slo(Decimal("99.9"), Latency(99, 300))


def built(slo: Slo = BOTH, *, prometheus_rules: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    rules, dashboard = build_objectives(OWNER, slo, prometheus_rules=prometheus_rules)
    return rules, dashboard


def groups_of(slo: Slo = BOTH) -> list[dict[str, Any]]:
    (text,) = built(slo)[0]["data"].values()
    return json.loads(text)["groups"]


def rules_of(slo: Slo = BOTH) -> list[dict[str, Any]]:
    return [rule for group in groups_of(slo) for rule in group["rules"]]


def test_a_prometheus_without_its_operator_gets_a_labelled_config_map() -> None:
    rules, dashboard = built()
    assert (rules["kind"], rules["metadata"]["name"]) == ("ConfigMap", "web-slo-rules")
    assert rules["metadata"]["labels"]["taskservice.dev/prometheus-rules"] == "1"
    assert list(rules["data"]) == ["shop-web.yaml"]
    assert (dashboard["kind"], dashboard["metadata"]["name"]) == ("ConfigMap", "web-slo-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_where_the_cluster_has_the_kind_the_same_rules_are_a_prometheus_rule() -> None:
    rules, _ = built(prometheus_rules=True)
    assert (rules["apiVersion"], rules["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rules["spec"]["groups"] == groups_of()


def test_all_of_it_belongs_to_the_taskservice() -> None:
    assert all(OWNER.owns(manifest) for manifest in built())


@pytest.mark.parametrize("slo", [BOTH, Slo(Decimal("99.9")), Slo(None, Latency(95, 1000))])
def test_no_mark_is_left(slo: Slo) -> None:
    assert re.findall(r"@[A-Z]+@", json.dumps(built(slo))) == []


@pytest.mark.parametrize(
    ("slo", "named"),
    [
        (Slo(Decimal("99.9")), {"availability"}),
        (Slo(None, Latency(99, 300)), {"latency"}),
        (BOTH, {"availability", "latency"}),
    ],
)
def test_only_what_is_promised_is_measured(slo: Slo, named: set[str]) -> None:
    assert {rule["labels"]["slo"] for rule in rules_of(slo) if "record" in rule} == named


@pytest.mark.parametrize(
    ("availability", "budget"), [("99.9", "0.001"), ("99", "0.01"), ("99.95", "0.0005"), ("99.9999", "0.000001")]
)
def test_a_budget_is_exact(availability: str, budget: str) -> None:
    fast = next(rule for rule in rules_of(Slo(Decimal(availability))) if rule.get("alert"))
    assert f"> 14.4 * {budget} and" in fast["expr"]


@pytest.mark.parametrize(
    ("milliseconds", "spellings"), [(300, ["0.3"]), (1000, ["1", "1.0"]), (2500, ["2.5"]), (5, ["0.005"])]
)
def test_a_latency_finds_its_bucket_however_the_client_writes_it(milliseconds: int, spellings: list[str]) -> None:
    errors = next(r for r in rules_of(Slo(None, Latency(99, milliseconds))) if r.get("record") == maths.ERRORS)
    pattern = re.search(r'le=~"([^"]+)"', errors["expr"])
    assert pattern is not None
    for spelling in spellings:
        assert re.fullmatch(pattern[1], spelling)
    assert not re.fullmatch(pattern[1], "10.0")
    assert not re.fullmatch(pattern[1], "0x3")


def test_the_rules_are_those_of_the_maths_filled_in() -> None:
    """Equal by construction; this fails when somebody edits the operator's copy by hand."""
    marks = {
        maths.NAMESPACE: "shop",
        maths.NAME: "web",
        maths.BUDGET: "0.001",
        maths.OBJECTIVE: "0.999",
        maths.PROMISE: "that 99.9 % do not fail",
        maths.DASHBOARD: "",
    }
    uid = json.loads(next(iter(built()[1]["data"].values())))["uid"]
    text = json.dumps(maths.groups("availability"))
    for mark, value in (marks | {maths.DASHBOARD: uid}).items():
        text = text.replace(mark, value)
    assert json.loads(text) == groups_of(Slo(Decimal("99.9")))


def test_each_taskservice_has_a_dashboard_of_its_own() -> None:
    def uid(owner: Owner) -> str:
        (text,) = build_objectives(owner, BOTH, prometheus_rules=False)[1]["data"].values()
        return json.loads(text)["uid"]

    uids = {uid(Owner("web", "shop", "1")), uid(Owner("web", "play", "2")), uid(Owner("api", "shop", "3"))}
    assert len(uids) == 3
    assert all(len(found) <= 40 for found in uids)
    assert uid(Owner("web", "shop", "1")) == uid(Owner("web", "shop", "4"))
