"""The way of a line and of a span: each part names the next one, and nothing is indexed by trace."""

from __future__ import annotations

import json

from taskservice_observability import pipelines
from taskservice_observability.build import local_parts


def test_every_component_of_a_pipeline_is_configured() -> None:
    for built in (local_parts()["collector"], local_parts()["jaeger"]):
        for pipeline in built["service"]["pipelines"].values():
            for kind in ("receivers", "processors", "exporters"):
                assert set(pipeline[kind]) <= set(built[kind])
        assert set(built["service"]["extensions"]) <= set(built["extensions"])


def test_a_trace_id_is_found_by_and_is_no_label() -> None:
    (config,) = pipelines.loki()["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"]
    assert "trace_id" not in config["attributes"]
    assert pipelines.loki()["limits_config"]["allow_structured_metadata"] is True


def test_lines_and_spans_go_to_the_parts_of_the_stack() -> None:
    exporters = local_parts()["collector"]["exporters"]
    assert exporters["otlphttp/loki"]["endpoint"] == "http://loki.observability.svc:3100/otlp"
    assert exporters["otlp/jaeger"]["endpoint"] == "jaeger.observability.svc:4317"


def test_a_process_without_kubernetes_asks_no_api_server() -> None:
    text = json.dumps(pipelines.collector(loki="http://l", jaeger="j:1", include="/x/*.log", kubernetes=False))
    assert "k8sattributes" not in text
    assert '"container"' not in text


def test_the_watchdog_has_a_receiver_of_its_own() -> None:
    routes = pipelines.alertmanager(receiver="http://hook")["route"]["routes"]
    assert routes[0] == {"matchers": ['alertname="Watchdog"'], "receiver": "watchdog", "repeat_interval": "5m"}
