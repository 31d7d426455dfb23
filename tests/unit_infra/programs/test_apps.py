"""Project apps: definitions first, then what needs them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.components.apps.sample import CREDENTIALS
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.apps import program
from taskservice_infra.versions import ENVOY_GATEWAY

URLS = {
    "mongodb_url": "mongodb://u:mongo-word@m/",
    "mongodb_backup_url": None,
    "mongodb_vault_url": None,
    "redis_url": "redis://:redis-word@r/0",
    "bus_url": "amqp://u:bus-word@b/",
}
KEPT = {
    "vault_address": "http://vault.secrets.svc:8200",
    "ca_secret": None,
    "ca_config_map": None,
    "keeper_image": "docker.io/local/keeper:1",
    "services": [["apps", "auth"], ["apps", "tasks"], ["apps", "worker"]],
}
OBSERVED = {
    "otlp_endpoint": "http://otel-collector.observability-nodes.svc.cluster.local:4318",
    "prometheus_url": "http://prometheus",
    "loki_url": "http://loki",
    "jaeger_url": "http://jaeger",
}


def played(stacks: dict[str, Any], machine: FakeMachine | None = None, **settings: Any) -> Played:
    config = {f"apps:{key}": value for key, value in settings.items()}
    return play(
        lambda: program(machine or FakeMachine()),
        project="apps",
        config=config,
        stacks={"data": URLS, "observability": OBSERVED, "secrets": KEPT, **stacks},
    )


def test_the_operator_comes_after_the_definitions_by_our_own_charts(stacks: dict[str, Any]) -> None:
    run = played(stacks)
    operator = run.one("Chart", "taskservice-operator")
    assert operator.inputs["chart"].endswith("/charts/taskservice-operator")
    assert operator.inputs["namespace"] == "taskservice-system"
    assert operator.inputs["values"]["image"] == "docker.io/local/operator:made-here"
    assert run.one("Chart", "taskservice-crds").urn in operator.dependencies


def test_settings_of_the_operator_reach_its_chart(stacks: dict[str, Any]) -> None:
    machine = FakeMachine()
    run = played(
        stacks, machine, operator={"image": "ghcr.io/me/operator:1", "replicas": 3, "settings": {"workers": 4}}
    )
    values = run.one("Chart", "taskservice-operator").inputs["values"]
    assert values == {"image": "ghcr.io/me/operator:1", "replicas": 3, "settings": {"workers": 4}}
    assert machine.asked == []


def test_the_sample_stands_on_the_databases_of_project_data(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed=seed, sample={})
    held = {made.name: made.inputs["stringData"] for made in run.all("Secret")}
    assert held["taskservice-mongo"] == {"TASKSERVICE_MONGO_URL": URLS["mongodb_url"]}
    assert held["taskservice-bus"] == {"TASKSERVICE_BUS_URL": URLS["bus_url"]}
    assert set(held) == set(CREDENTIALS)
    assert all(made.secrets == {"stringData"} for made in run.all("Secret"))
    sample = run.one("Chart", "sample")
    assert sample.inputs["values"]["secrets"] == {"create": False}
    assert {run.one("Secret", name).urn for name in CREDENTIALS} <= set(sample.dependencies)
    assert run.one("Chart", "taskservice-operator").urn in sample.dependencies
    assert "-word" not in json.dumps(sample.inputs)


def test_a_stack_without_a_sample_needs_no_seed_and_no_databases(stacks: dict[str, Any]) -> None:
    assert {made.name for made in played(stacks).all("Chart")} == {"taskservice-crds", "taskservice-operator"}


def test_a_sample_without_a_seed_is_refused(stacks: dict[str, Any]) -> None:
    with pytest.raises(BadConfiguration, match=r"Pulumi.test.yaml: apps:seed: is missing"):
        played(stacks, sample={})


def test_a_gateway_is_there_before_the_sample_that_uses_it(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed=seed, gateway={"provider": "envoy", "service": "ClusterIP"}, sample={})
    release = run.one("Release", "envoy-gateway")
    assert (release.inputs["chart"], release.inputs["version"]) == (ENVOY_GATEWAY.chart, ENVOY_GATEWAY.version)
    assert run.one("Chart", "gateway-crds").urn in release.dependencies
    proxies = run.one("EnvoyProxy").inputs["spec"]["provider"]["kubernetes"]
    assert proxies["envoyService"] == {"type": "ClusterIP"}
    sample = run.one("Chart", "sample")
    assert sample.inputs["values"]["gateway"]["tls"] == {"secretName": "taskservice-tls"}
    assert run.one("GatewayClass").urn in sample.dependencies
    assert run.one("Secret", "ratelimit-redis").secrets == {"stringData"}


def test_spans_of_sample_and_gateway_go_to_the_collector_of_project_observability(
    stacks: dict[str, Any], seed: str
) -> None:
    gateway = {"provider": "envoy", "service": "ClusterIP"}
    run = played(stacks, seed=seed, gateway=gateway, sample={}, traces={"samplingPercent": 20})
    values = run.one("Chart", "sample").inputs["values"]
    assert values["config"] == {"TASKSERVICE_OTLP_ENDPOINT": OBSERVED["otlp_endpoint"]}
    assert values["gateway"]["tracing"] == {
        "collector": {"name": "otel-collector", "namespace": "observability-nodes", "port": 4317},
        "samplingPercent": 20,
    }


def test_a_stack_without_traces_needs_no_project_observability(stacks: dict[str, Any], seed: str) -> None:
    run = played({**stacks, "observability": {}}, seed=seed, sample={})
    assert run.one("Chart", "sample").inputs["values"]["config"] == {}


def test_what_is_promised_of_the_sample_is_promised_of_those_that_answer_requests(
    stacks: dict[str, Any], seed: str
) -> None:
    slo = {"availability": "99.5", "latency": {"percentile": 95, "milliseconds": 500}}
    values = played(stacks, seed=seed, sample={"slo": slo}).one("Chart", "sample").inputs["values"]
    assert {name: values[name].get("slo") for name in ("auth", "tasks", "worker")} == {
        "auth": slo,
        "tasks": slo,
        "worker": None,
    }


@pytest.mark.parametrize(
    ("slo", "sentence"),
    [
        ({}, "apps:sample.slo: promises nothing: give availability, latency, or both, or leave slo out"),
        ({"availability": "94"}, "apps:sample.slo.availability: .* not '94'"),
        ({"latency": {"milliseconds": 0}}, "apps:sample.slo.latency.milliseconds: .* not 0"),
    ],
)
def test_a_promise_that_the_operator_would_refuse_is_refused_by_its_key(
    stacks: dict[str, Any], seed: str, slo: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadConfiguration, match=sentence):
        played(stacks, seed=seed, sample={"slo": slo})


def test_with_vault_the_sample_reads_its_credentials_there_and_no_secret_holds_them(stacks: dict[str, Any]) -> None:
    run = played(stacks, sample={}, vault={"pollSeconds": 20})
    assert run.one("Chart", "taskservice-operator").inputs["values"]["vault"] == {
        "address": KEPT["vault_address"],
        "caConfigMap": "",
        "pollSeconds": 20,
    }
    sample = run.one("Chart", "sample")
    assert sample.inputs["values"]["vault"] == {"enabled": True}
    handed = run.one("Secret")
    assert (handed.inputs["metadata"]["namespace"], handed.secrets) == ("secrets", {"stringData"})
    assert handed.inputs["stringData"]["TASKSERVICE_MONGO_URL"] == URLS["mongodb_url"]
    assert "-word" not in json.dumps([made.inputs for made in run.made if made != handed])


def test_the_sample_waits_until_its_credentials_are_in_vault(stacks: dict[str, Any]) -> None:
    run = played(stacks, sample={}, vault={})
    job = run.one("Job", "service-secrets")
    assert job.inputs["metadata"]["namespace"] == "secrets"
    (container,) = job.inputs["spec"]["template"]["spec"]["containers"]
    assert container["image"] == KEPT["keeper_image"]
    assert f"--address={KEPT['vault_address']}" in container["args"]
    assert job.urn in run.one("Chart", "sample").dependencies


def test_a_vault_with_a_certificate_is_asked_by_it(stacks: dict[str, Any]) -> None:
    certified = {**KEPT, "vault_address": "https://v:8200", "ca_secret": "vault-tls", "ca_config_map": "vault-ca"}
    run = played({**stacks, "secrets": certified}, sample={}, vault={})
    assert run.one("Chart", "taskservice-operator").inputs["values"]["vault"]["caConfigMap"] == "vault-ca"
    pod = run.one("Job", "service-secrets").inputs["spec"]["template"]["spec"]
    assert "--ca-file=/etc/vault-ca/ca.crt" in pod["containers"][0]["args"]
    assert any(volume.get("secret", {}).get("secretName") == "vault-tls" for volume in pod["volumes"])


def test_a_stack_without_vault_needs_no_project_secrets(stacks: dict[str, Any], seed: str) -> None:
    run = played({**stacks, "secrets": {}}, seed=seed, sample={})
    assert "vault" not in run.one("Chart", "taskservice-operator").inputs["values"]
    assert run.all("Job") == []
