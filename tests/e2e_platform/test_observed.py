"""What the platform's own Prometheus, Loki and Jaeger hold after people have used its sample through its gateway.

The questions are those of the dashboards, rules and data sources that the platform itself was given.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskservice_local.paths import CHECKOUT
from taskservice_observability import catalog, rules
from taskservice_observability.preview import generated, page, reading
from testkit import expected_empty
from testkit.browser import laid_out
from testkit.mongod import PartUnavailable
from testkit.platform_run import APPS, PlatformRun
from testkit.prometheus_server import Prometheus
from testkit.promql import asks_loki, filled_in, queries_of, series_in

NAMESPACE = "observability"
STEP = 15
"""Seconds between two scrapes, and between two points of a question."""
GENERATED = CHECKOUT / "observability" / "generated"
QUERIES = [
    pytest.param(page["uid"], title, target, id=f"{page['uid']} {title} {target['refId']}")
    for page in generated()
    for title, target in queries_of(page)
]
ALERTS = [
    rule
    for group in yaml.safe_load((GENERATED / "rules" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
FIRING = {
    "Watchdog": "it always fires",
    "RolloutAborted": "one TaskService of the run is broken on purpose",
    "TaskServiceNotReady": "the same one",
}


@dataclass(frozen=True)
class Watched:
    """What watches the platform, and what it has seen."""

    run: PlatformRun
    prometheus: Prometheus
    loki: str
    jaeger: str
    alertmanager: str
    absent: tuple[str, ...]
    """Reasons for having no data which do not hold here."""

    def is_right(self, reason: str | None, found: object) -> bool:
        """Whether there may be data, or none, where ``reason`` is listed for having none."""
        if reason is None or reason in self.absent:
            return bool(found)
        return reason in expected_empty.TROUBLES or not found

    def over(self, expr: str) -> list[Any]:
        """Series of a range query over the whole run."""
        return self.prometheus.over(filled_in(expr), self.run.began, time.time(), STEP)

    def lines(self, logql: str) -> list[dict[str, str]]:
        """Labels and structured metadata of each line that a query finds."""
        query = urllib.parse.urlencode({"query": filled_in(logql), "since": "1h", "limit": 1000})
        streams = get(f"{self.loki}/loki/api/v1/query_range?{query}")["data"]["result"]
        return [stream["stream"] for stream in streams for _ in stream["values"]]

    def trace(self, trace_id: str) -> dict[str, Any]:
        """A trace as Jaeger has it; empty if it has none."""
        try:
            return get(f"{self.jaeger}/api/traces/{trace_id}")["data"][0]
        except urllib.error.HTTPError as none:
            none.close()
            return {}


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def until(ask: Callable[[], Any], seconds: float = 90) -> Any:
    """The first answer that is not empty, or the last one."""
    end = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < end:
        time.sleep(1)
    return found


@pytest.fixture(scope="module")
def watched(completed: Any, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    assert gateway, "people come through it"
    folder = tmp_path_factory.mktemp("watched")
    with PlatformRun(completed.kubectl, folder).play() as run:

        def url(service: str, port: int) -> str:
            return f"http://{run.address(NAMESPACE, service)}:{port}"

        operator = completed.kubectl("get", "deployments", "-n", "taskservice-system", "-o", "json")
        with_vault = "TASKSERVICE_OPERATOR_VAULT_ADDRESS" in operator
        watched = Watched(
            run,
            Prometheus(url("prometheus", 9090)),
            url("loki", 3100),
            url("jaeger", 16686),
            url("alertmanager", 9093),
            (expected_empty.NO_KEEPER, *([expected_empty.NO_VAULT] if with_vault else [])),
        )
        # Everything that was counted has been scraped, and rules have seen it twice.
        until(lambda: watched.prometheus.now(f"min(timestamp(up)) > {run.ended + 2 * STEP}"))
        yield watched


# -- one request -------------------------------------------------------------------------------------------------------
def test_a_request_is_one_trace_over_gateway_tasks_auth_and_mongodb(watched: Watched) -> None:
    wanted = {"taskservice-gateway", "tasks", "auth"}

    def complete() -> Any:
        trace = watched.trace(watched.run.trace_id)
        return trace if wanted <= {p["serviceName"] for p in (trace.get("processes") or {}).values()} else None

    trace = until(complete)
    assert trace, watched.trace(watched.run.trace_id)
    services: dict[str, set[str]] = {}
    for span in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        name = trace["processes"][span["processID"]]["serviceName"]
        services.setdefault(name, set()).add(str(tags.get("db.system", span["operationName"])))
    assert set(services) == wanted
    assert "POST /v1/tasks" in services["tasks"]
    assert "mongodb" in services["tasks"] & services["auth"]
    known = {span["spanID"] for span in trace["spans"]}
    (root,) = [span for span in trace["spans"] if not {ref["spanID"] for ref in span["references"]} & known]
    assert trace["processes"][root["processID"]]["serviceName"] == "taskservice-gateway"


def test_from_that_trace_grafana_finds_the_lines_of_gateway_tasks_and_auth(watched: Watched) -> None:
    (jaeger,) = [each for each in sources(watched) if each["type"] == "jaeger"]
    logql = jaeger["jsonData"]["tracesToLogsV2"]["query"].replace("${__trace.traceId}", watched.run.trace_id)

    def complete() -> Any:
        found = {(line.get("taskservice", "gateway"), line["event"]): line for line in watched.lines(logql)}
        return found if {"gateway", "tasks", "auth"} <= {who for who, _ in found} else None

    found = until(complete)
    assert found, watched.lines(logql)
    assert found["tasks", "http_request"]["route"] == "/v1/tasks"
    assert found["auth", "grpc_request"]["method"].endswith("/GetUsers")
    assert found["gateway", "edge_request"]["status"] == "201"


def test_from_a_line_grafana_finds_its_trace(watched: Watched) -> None:
    (loki,) = [each for each in sources(watched) if each["type"] == "loki"]
    (field,) = loki["jsonData"]["derivedFields"]
    lines = watched.lines(f'{{taskservice="tasks"}} | {field["matcherRegex"]}="{watched.run.trace_id}"')
    assert lines
    assert watched.trace(lines[0][field["matcherRegex"]])
    labels = get(f"{watched.loki}/loki/api/v1/labels?since=1h")["data"]
    assert field["matcherRegex"] not in labels, "an index entry for each trace would be too many"


def test_from_an_example_of_a_duration_grafana_finds_its_trace(watched: Watched) -> None:
    (prometheus,) = [each for each in sources(watched) if each["type"] == "prometheus"]
    (link,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    found = watched.prometheus.ask(
        "query_exemplars", query=catalog.HTTP_DURATION.bucket, start=watched.run.began, end=time.time()
    )
    named = [each["labels"][link["name"]] for series in found for each in series["exemplars"]]
    assert named
    assert watched.trace(named[-1])["spans"]


def sources(watched: Watched) -> list[dict[str, Any]]:
    """The data sources as the platform has them for a Grafana."""
    found = json.loads(
        watched.run.kubectl("get", "configmap", "taskservice-datasources", "-n", NAMESPACE, "-o", "json")
    )
    return yaml.safe_load(found["data"]["datasources.yaml"])["datasources"]


# -- dashboards --------------------------------------------------------------------------------------------------------
def dashboards(watched: Watched, namespace: str) -> dict[str, Any]:
    """The dashboards that a namespace has for a Grafana, by uid."""
    found = json.loads(
        watched.run.kubectl("get", "configmaps", "-n", namespace, "-l", "grafana_dashboard=1", "-o", "json")
    )
    pages = [json.loads(text) for each in found["items"] for text in each["data"].values()]
    return {page["uid"]: page for page in pages}


def test_the_platform_has_the_dashboards_that_were_generated(watched: Watched) -> None:
    assert dashboards(watched, NAMESPACE) == {page["uid"]: page for page in generated()}


@pytest.mark.parametrize(("uid", "title", "target"), QUERIES)
def test_a_dashboards_query_has_data(watched: Watched, uid: str, title: str, target: dict[str, Any]) -> None:
    found = watched.lines(target["expr"]) if asks_loki(target) else watched.over(target["expr"])
    reason = expected_empty.PANELS.get((uid, title, target["refId"]))
    assert watched.is_right(reason, found), target["expr"]


def test_the_page_of_each_objective_has_data_in_every_panel(watched: Watched) -> None:
    pages = dashboards(watched, APPS)
    assert len(pages) == 2, "auth and tasks promise something"
    empty = [
        (page["title"], title)
        for page in pages.values()
        for title, target in queries_of(page)
        if not watched.over(target["expr"])
    ]
    assert empty == []


def test_the_panel_of_log_lines_shows_what_the_broken_service_said(watched: Watched) -> None:
    ((_, target),) = [
        (title, target) for page in generated() for title, target in queries_of(page) if asks_loki(target)
    ]
    found = watched.lines(target["expr"].replace("$namespace", watched.run.own))
    assert {(line["taskservice"], line["event"]) for line in found} == {("broken", "cannot_start")}


def test_the_page_to_look_at_is_drawn_from_the_platform_and_fits_a_browser(watched: Watched, tmp_path: Path) -> None:
    began, now = watched.run.began, time.time()
    read = reading(watched.loki, began, now)
    text = page(
        generated(), watched.over, read=lambda logql: read(filled_in(logql)), choices={}, started=began, ended=now
    )
    assert "cannot_start" in text, "a line that is shown"
    place = CHECKOUT / "build" / "observability" / "platform.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    try:
        seen = laid_out(text, tmp_path, place.with_suffix(".png"))
    except PartUnavailable as reason:
        pytest.skip(str(reason))
    assert len(seen.panels) == sum(1 for each in generated() for panel in each["panels"] if panel["type"] != "row")
    assert [panel for panel in seen.panels if not panel.drawn or panel.outside or panel.height < 60] == []
    assert (seen.sideways, seen.broken_links) == (0, 0)
    assert seen.lines > len(seen.panels)


# -- rules and alerts --------------------------------------------------------------------------------------------------
def test_the_platforms_prometheus_has_every_rule_and_evaluates_it(watched: Watched) -> None:
    groups = watched.prometheus.ask("rules")["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]}
    assert {rule["alert"] for rule in ALERTS} | {each.name for each in rules.RECORDINGS} <= loaded
    assert [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []


@pytest.mark.parametrize("recording", rules.RECORDINGS, ids=str)
def test_a_recording_rule_records(watched: Watched, recording: rules.Recording) -> None:
    found = watched.over(recording.name)
    labels = {tuple(sorted(set(series["metric"]) - {"__name__"})) for series in found}
    assert labels == {tuple(sorted(recording.labels))}


def test_the_rules_of_each_objective_record(watched: Watched) -> None:
    groups = [g for g in watched.prometheus.ask("rules")["groups"] if g["name"].startswith(f"taskservice-slo/{APPS}/")]
    assert len(groups) == 4, "auth and tasks, availability and latency"
    empty = [
        (group["name"], rule["name"])
        for group in groups
        for rule in group["rules"]
        if rule["type"] == "recording"
        and not watched.over(f'{rule["name"]}{{taskservice="{group["name"].split("/")[2]}"}}')
    ]
    assert empty == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_reads_series_that_are_there_and_is_quiet_unless_it_is_listed(
    watched: Watched, rule: dict[str, Any]
) -> None:
    for name in series_in(rule["expr"]):
        assert watched.is_right(expected_empty.METRICS.get(name), watched.over(name)), name
    if rule["alert"] in FIRING:
        assert watched.prometheus.now(rule["expr"]), FIRING[rule["alert"]]
    else:
        firing = f'ALERTS{{alertname="{rule["alert"]}",alertstate="firing"}}'
        assert watched.prometheus.now(firing) == []


def test_an_alert_that_fires_reaches_the_alertmanager_with_its_runbook(watched: Watched) -> None:
    def told() -> Any:
        alerts = get(f"{watched.alertmanager}/api/v2/alerts?filter=alertname%3DWatchdog")
        return [each["annotations"]["runbook_url"] for each in alerts]

    (runbook,) = until(told)
    assert runbook.endswith("/Watchdog.md")
    assert (CHECKOUT / "observability" / "runbooks" / "Watchdog.md").exists()


# -- targets -----------------------------------------------------------------------------------------------------------
def test_every_target_answers_and_no_job_lacks_one(watched: Watched) -> None:
    def settled() -> Any:
        found = watched.prometheus.ask("targets")["activeTargets"]
        return found if all(each["health"] == "up" for each in found) else None

    targets = until(settled) or watched.prometheus.ask("targets")["activeTargets"]
    assert [each for each in targets if each["health"] != "up"] == []
    assert {each["labels"]["job"] for each in targets} == {
        catalog.JOB_SERVICES, catalog.JOB_OPERATOR, catalog.JOB_RABBITMQ, catalog.JOB_KEEPER,
    }  # fmt: skip
    assert {each["labels"].get("taskservice") for each in targets} - {None} == {"auth", "tasks", "worker"}


def test_every_metric_of_the_catalogue_was_scraped(watched: Watched) -> None:
    there = set(watched.prometheus.ask("label/__name__/values"))
    wrong = [
        series
        for metric in catalog.METRICS
        for series in metric.series
        if not watched.is_right(expected_empty.METRICS.get(str(metric)), series in there)
    ]
    assert wrong == []
