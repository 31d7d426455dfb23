"""The gateway as ``GATEWAY=1 make cluster`` leaves it."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_demo.stage import Stage
from taskservice_local.cli import main as local
from taskservice_local.gateway import NAMESPACE
from testkit.edge_client import Edge


def written(stage: Stage) -> dict[str, Any]:
    """What a repeated installation would change."""
    found = stage.kubectl.get("deployments,pods,secrets,configmaps,gatewayclasses,envoyproxies", "-n", NAMESPACE) or {}
    # The job that made the certificates is removed some time after its end.
    items = [item for item in found["items"] if item.get("status", {}).get("phase") != "Succeeded"]
    return {
        f"{item['kind']}/{item['metadata']['name']}": (item["metadata"]["uid"], item["metadata"].get("generation"))
        for item in items
    }


def test_a_second_up_changes_nothing_and_status_shows_the_gateway(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(edge.live.stage)
    monkeypatch.setenv("GATEWAY", "1")
    assert local(["up"]) == 0
    assert written(edge.live.stage) == before
    assert local(["status"]) == 0
    assert "gateway" in capsys.readouterr().out


def test_every_pod_of_it_is_restricted(edge: Edge) -> None:
    namespace = edge.live.stage.kubectl.get("namespace", NAMESPACE) or {}
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = (edge.live.stage.kubectl.get("pods", "-n", NAMESPACE) or {})["items"]
    names = {pod["metadata"]["name"].split("-e2e")[0] for pod in pods}
    assert any(name.startswith("envoy") for name in names)
    for pod in pods:
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
