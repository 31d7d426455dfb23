"""Every query of every dashboard, every rule and every alert, asked of a real Prometheus that has watched a real run.

What has no data must be listed in `testkit.expected_empty` with its reason; what is listed and has data is as wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskservice_observability import catalog, rules, slo
from taskservice_observability.build import alert_groups, objective_template
from taskservice_observability.dashboards import build_all
from taskservice_observability.preview import generated, page
from testkit import expected_empty
from testkit.observed_demo import SERVICES, STEP_SECONDS, ObservedDemo
from testkit.otlp_receiver import OtlpReceiver
from testkit.promql import asks_loki, filled_in, queries_of, series_in

FIRING = {
    "Watchdog": "it always fires",
    "RolloutAborted": "one TaskService of the demo is broken on purpose",
    "TaskServiceNotReady": "the same one",
}
QUERIES = [
    (uid, title, target)
    for uid, dashboard in build_all().items()
    for title, target in queries_of(dashboard)
    if not asks_loki(target)  # those are asked in test_traces_and_logs.py, and of the platform
]


def has_data(demo: ObservedDemo, expr: str) -> bool:
    return bool(demo.prometheus.over(filled_in(expr), demo.began, demo.ended, STEP_SECONDS))


@pytest.mark.parametrize(("uid", "title", "target"), QUERIES, ids=lambda v: v if isinstance(v, str) else v["refId"])
def test_a_dashboards_query_has_data(demo: ObservedDemo, uid: str, title: str, target: dict[str, Any]) -> None:
    listed = (uid, title, target["refId"]) in expected_empty.PANELS
    assert has_data(demo, target["expr"]) is not listed, target["expr"]


def test_the_page_of_one_taskservice_has_data_in_every_panel(demo: ObservedDemo) -> None:
    for title, target in queries_of(objective_template()["dashboard"]):
        expr = target["expr"].replace(slo.NAMESPACE, demo.fleet.namespace).replace(slo.NAME, "tasks")
        assert has_data(demo, expr), title


@pytest.mark.parametrize("recording", rules.RECORDINGS, ids=str)
def test_a_recording_rule_records(demo: ObservedDemo, recording: rules.Recording) -> None:
    found = demo.prometheus.over(recording.name, demo.began, demo.ended, STEP_SECONDS)
    assert found
    assert {tuple(sorted(set(series["metric"]) - {"__name__"})) for series in found} == {
        tuple(sorted(recording.labels))
    }


def test_the_operators_rules_record_for_each_objective(demo: ObservedDemo) -> None:
    for rule in (rule for name in ("availability", "latency") for rule in slo.recordings(name)):
        found = demo.prometheus.over(rule["record"], demo.began, demo.ended, STEP_SECONDS)
        measured = {(s["metric"]["taskservice"], s["metric"]["slo"]) for s in found}
        assert {(name, rule["labels"]["slo"]) for name in ("auth", "tasks")} <= measured, rule["record"]


def test_no_rule_fails_to_be_evaluated(demo: ObservedDemo) -> None:
    for group in demo.prometheus.ask("rules")["groups"]:
        assert [rule["name"] for rule in group["rules"] if rule["health"] == "err"] == [], group["name"]


ALERT_RULES = [rule for group in alert_groups() for rule in group["rules"]]


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_an_alert_reads_series_that_are_there_and_is_quiet_in_a_healthy_run(
    demo: ObservedDemo, rule: dict[str, Any]
) -> None:
    for series in series_in(rule["expr"]):
        there = bool(demo.prometheus.over(series, demo.began, demo.ended, STEP_SECONDS))
        assert there is (series not in expected_empty.METRICS), series
    holds = bool(demo.prometheus.now(rule["expr"]))
    assert holds is (rule["alert"] in FIRING)


def test_every_metric_of_the_catalogue_was_scraped(demo: ObservedDemo) -> None:
    there = set(demo.prometheus.ask("label/__name__/values"))
    missing = {series for metric in catalog.METRICS for series in metric.series if series not in there}
    assert missing == expected_empty.series()


def test_every_target_answers_and_has_the_labels_of_the_contract(demo: ObservedDemo) -> None:
    up = demo.prometheus.now("up == 1")
    jobs = sorted(series["metric"]["job"] for series in up)
    assert jobs == ["rabbitmq", *["taskservice"] * len(SERVICES), "taskservice-operator"]
    for name in SERVICES:
        (build,) = demo.prometheus.now(f'{catalog.BUILD_INFO}{{taskservice="{name}"}}')
        assert {*catalog.TARGET_LABELS} <= set(build["metric"])
        assert build["metric"]["revision"] == demo.fleet.revision(name)
        assert not [label for label in build["metric"] if label.startswith("exported_")]


def test_an_example_of_a_bucket_names_a_trace_that_was_sent(demo: ObservedDemo, receiver: OtlpReceiver) -> None:
    found = demo.prometheus.ask("query_exemplars", query=catalog.HTTP_DURATION.bucket, start=demo.began, end=demo.ended)
    named = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
    assert named
    assert named & {span.trace_id for span in receiver.spans}


def test_an_alert_that_fires_links_to_its_page_and_its_runbook(demo: ObservedDemo) -> None:
    (watchdog,) = [
        alert for alert in demo.prometheus.ask("alerts")["alerts"] if alert["labels"]["alertname"] == "Watchdog"
    ]
    assert watchdog["annotations"]["runbook_url"] == "http://runbooks/Watchdog.md"
    assert watchdog["annotations"]["dashboard_url"] == "http://grafana/d/taskservice-operator"


def test_the_page_to_look_at_is_drawn_from_these_answers(demo: ObservedDemo) -> None:
    def ask(expr: str) -> list[Any]:
        return demo.prometheus.over(filled_in(expr), demo.began, demo.ended, STEP_SECONDS)

    place = Path(__file__).resolve().parents[3] / "build" / "observability" / "preview.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(page(generated(), ask, choices={}, started=demo.began, ended=demo.ended))
    assert place.read_text().count("nothing happened") == 1, "only Vault, which this demo does not have"
