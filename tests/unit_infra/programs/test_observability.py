"""Project observability: restricted pods, rules and dashboards as generated, providers as the stack file names them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.observability import DASHBOARDS, program

LOCAL = {name: {"provider": "local"} for name in ("metrics", "logs", "traces", "collector")}
CHARTS = {name: {"provider": "charts"} for name in LOCAL}
ADDRESSES = {"grafanaUrl": "https://grafana.example", "runbooksUrl": "https://runbooks.example"}


def played(stacks: dict[str, Any], **settings: Any) -> Played:
    config = {f"observability:{key}": value for key, value in {**LOCAL, **ADDRESSES, **settings}.items()}
    return play(lambda: program(FakeMachine()), project="observability", config=config, stacks=stacks)


def pods(run: Played) -> dict[str, Any]:
    return {
        made.name: made.inputs["spec"]["template"]["spec"]
        for made in run.made
        if made.kind in ("StatefulSet", "DaemonSet")
    }


def test_the_local_stack_runs_each_part_once_with_an_image_of_this_machine(stacks: dict[str, Any]) -> None:
    run = played(stacks)
    images = {name: pod["containers"][0]["image"] for name, pod in pods(run).items()}
    assert images == {
        "prometheus": "docker.io/local/prometheus:made-here",
        "alertmanager": "docker.io/local/alertmanager:made-here",
        "loki": "docker.io/local/loki:made-here",
        "jaeger": "docker.io/local/jaeger:made-here",
        "otel-collector": "docker.io/local/otelcol:made-here",
    }


def test_only_the_collector_is_more_than_restricted_and_only_where_that_is_allowed(stacks: dict[str, Any]) -> None:
    run = played(stacks)
    for name, pod in pods(run).items():
        on_host = [volume for volume in pod["volumes"] if "hostPath" in volume]
        assert bool(on_host) is (name == "otel-collector")
        if not on_host:
            assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
    assert run.one("DaemonSet").inputs["metadata"]["namespace"] == "observability-nodes"
    assert {each.inputs["metadata"]["namespace"] for each in run.all("StatefulSet")} == {"observability"}


def test_prometheus_has_the_generated_rules_and_the_addresses_of_the_stack(stacks: dict[str, Any]) -> None:
    run = played(stacks)
    assert set(run.one("ConfigMap", "prometheus-rules").inputs["data"]) == {"recording.yaml", "alerts.yaml"}
    files = run.one("ConfigMap", "prometheus").inputs["data"]
    configuration = yaml.safe_load(files["prometheus.yml"])
    assert configuration["global"]["external_labels"] == {
        "grafana": "https://grafana.example", "runbooks": "https://runbooks.example",
    }  # fmt: skip
    assert re.findall("@[A-Z]+@", files["prometheus.yml"]) == []
    compile(files["sidecar.py"], "sidecar.py", "exec")


def test_prometheus_may_read_pods_and_config_maps_and_change_nothing(stacks: dict[str, Any]) -> None:
    (rule,) = played(stacks).one("ClusterRole", "taskservice-prometheus").inputs["rules"]
    assert set(rule["resources"]) == {"pods", "configmaps"}
    assert set(rule["verbs"]) <= {"get", "list", "watch"}


def test_a_changed_address_restarts_prometheus_and_nothing_else(stacks: dict[str, Any]) -> None:
    def marks(run: Played) -> dict[str, str]:
        made = [each for each in run.made if each.kind in ("StatefulSet", "DaemonSet")]
        return {
            each.name: each.inputs["spec"]["template"]["metadata"]["annotations"]["taskservice.dev/config"]
            for each in made
        }

    before, after = marks(played(stacks)), marks(played(stacks, grafanaUrl="https://other.example"))
    assert {name for name in before if before[name] != after[name]} == {"prometheus"}


def test_dashboards_and_data_sources_carry_the_labels_that_grafana_looks_for(stacks: dict[str, Any]) -> None:
    maps = {made.name: made.inputs["metadata"]["labels"] for made in played(stacks).all("ConfigMap")}
    for name in DASHBOARDS:
        assert maps[f"taskservice-{name}"]["grafana_dashboard"] == "1"
    assert maps["taskservice-datasources"]["grafana_datasource"] == "1"


def test_lines_and_spans_are_sent_to_services_that_are_declared(stacks: dict[str, Any]) -> None:
    run = played(stacks)
    exporters = yaml.safe_load(run.one("ConfigMap", "otel-collector").inputs["data"]["collector.yaml"])["exporters"]
    declared = {f"{each.name}.{each.inputs['metadata']['namespace']}.svc" for each in run.all("Service")}
    hosts = {re.sub("^https?://", "", each["endpoint"]).partition(":")[0] for each in exporters.values()}
    assert hosts <= declared


def test_the_collector_reads_the_folder_in_which_this_node_keeps_logs(stacks: dict[str, Any]) -> None:
    volumes = pods(played(stacks))["otel-collector"]["volumes"]
    assert [volume["hostPath"]["path"] for volume in volumes if "hostPath" in volume] == ["/state/pod-logs"]


def test_the_endpoint_of_spans_is_published(stacks: dict[str, Any]) -> None:
    outputs = played(stacks).outputs
    assert outputs["otlp_endpoint"] == "http://otel-collector.observability-nodes.svc.cluster.local:4318"
    assert outputs["prometheus_url"] == "http://prometheus.observability.svc.cluster.local:9090"


def test_charts_are_pinned_and_no_local_part_is_made(stacks: dict[str, Any]) -> None:
    run = played(stacks, **CHARTS)
    releases = {made.name: made.inputs for made in run.all("Release")}
    assert set(releases) == {"metrics", "loki", "jaeger", "otel-collector"}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", each["version"]) for each in releases.values())
    assert not run.all("StatefulSet")
    assert not run.all("DaemonSet")


def test_with_charts_rules_are_resources_of_the_prometheus_operator(stacks: dict[str, Any]) -> None:
    run = played(stacks, **CHARTS)
    assert {made.name for made in run.all("PrometheusRule")} == {"taskservice-recording", "taskservice-alerts"}
    (endpoint,) = run.one("PodMonitor").inputs["spec"]["podMetricsEndpoints"]
    assert {"taskservice", "revision", "colour", "job"} == {each["targetLabel"] for each in endpoint["relabelings"]}
    labels = run.one("Release", "metrics").inputs["values"]["prometheus"]["prometheusSpec"]["externalLabels"]
    assert labels == {"grafana": "https://grafana.example", "runbooks": "https://runbooks.example"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"logs": {"provider": "elastic"}}, "observability:logs"),
        ({"metrics": {"provider": "local", "retention": "soon"}}, "observability:metrics.retention"),
        ({"grafanaUrl": "grafana"}, "observability:grafanaUrl"),
        ({"metrics": {"provider": "charts", "replicas": 0}}, "observability:metrics.replicas"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_key(
    stacks: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadConfiguration, match=re.escape(sentence)):
        played(stacks, **settings)
