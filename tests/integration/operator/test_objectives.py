"""Objectives on a real API server: a PrometheusRule where the cluster has the kind, a ConfigMap where it has not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.errors import NotFound, Transient
from taskservice_operator.cluster.kube import KubeApi
from testkit.kube_hands import DEFINITIONS, KubeHands, Kubelet, until

pytestmark = pytest.mark.anyio

SLO = {"availability": "99.9", "latency": {"percentile": 99, "milliseconds": 300}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "prometheusrules.monitoring.coreos.com",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in of the Prometheus operator's"},
    },
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "PrometheusRule", "plural": "prometheusrules", "singular": "prometheusrule"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
async def prometheus_operator(api: KubeApi) -> AsyncIterator[None]:
    """The kind, as the Prometheus operator brings it; gone with the test."""
    await api.request("POST", DEFINITIONS, body=DEFINITION)
    path = kinds.PROMETHEUS_RULE.path(None)

    async def there() -> bool:
        try:
            await api.get(path)
        except (NotFound, Transient):  # "storage is (re)initializing" is a 429
            return False
        return True

    await until(there, "the kind is served")
    yield
    await api.request("DELETE", f"{DEFINITIONS}/{DEFINITION['metadata']['name']}")  # type: ignore[index]

    async def gone() -> bool:
        return not await there()

    await until(gone, "the kind is gone")


async def maps(hands: KubeHands, namespace: str) -> list[str]:
    found = await hands.all(kinds.CONFIG_MAP, namespace)
    return sorted(m["metadata"]["name"] for m in found if kinds.owner_name(m))


async def rules(api: KubeApi, namespace: str) -> list[str]:
    return [found["metadata"]["name"] for found in await api.list(kinds.PROMETHEUS_RULE.path(namespace))]


async def test_rules_are_a_config_map_and_cost_nothing_once_they_are_written(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    operator = await operators.start()
    ref = await hands.create_taskservice("demo", {"image": "demo:v1", "slo": SLO}, namespace)

    async def written() -> bool:
        ready = (await hands.condition(ref, "Ready")).get("status") == "True"
        return ready and await maps(hands, namespace) == ["demo-slo-dashboard", "demo-slo-rules"]

    await until(written, "rules and dashboard are there", 90)
    await asyncio.sleep(3)
    before = await operator.writes()
    await asyncio.sleep(6)
    assert await operator.writes() == before
    await hands.edit(("TaskService", namespace, "demo"), {"spec": {"slo": None}})

    async def gone() -> bool:
        return await maps(hands, namespace) == []

    await until(gone, "they are gone", 60)


@pytest.mark.usefixtures("prometheus_operator")
async def test_rules_are_a_prometheus_rule_where_the_kind_is_there(
    api: KubeApi, hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    await operators.start()
    await hands.create_taskservice("demo", {"image": "demo:v1", "slo": SLO}, namespace)

    async def written() -> bool:
        return await rules(api, namespace) == ["demo"] and await maps(hands, namespace) == ["demo-slo-dashboard"]

    await until(written, "the rule is there", 90)
    await hands.edit(("TaskService", namespace, "demo"), {"spec": {"slo": None}})

    async def gone() -> bool:
        return await rules(api, namespace) == []

    await until(gone, "it is gone", 60)
