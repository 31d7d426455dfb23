"""The bare control plane that integration tests use."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from taskservice_local import processes
from taskservice_local.controlplane import ControlPlane


def kubectl(cp: ControlPlane, *words: str) -> str:
    command = [str(cp.kubectl), f"--kubeconfig={cp.kubeconfig}", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_it_serves_an_administrator_and_ends_without_a_trace(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as cp:
        records = list(cp.supervisor.records.load().values())
        assert [record.component for record in records] == ["etcd", "kube-apiserver"]
        kubectl(cp, "create", "namespace", "work")
        assert "work" in kubectl(cp, "get", "namespaces")
    assert not any(processes.is_alive(record) for record in records)


def test_with_controllers_a_deployment_gets_its_pods(tmp_path: Path) -> None:
    with ControlPlane(tmp_path, controllers=True) as cp:
        kubectl(cp, "create", "deployment", "web", "--image=docker.io/local/none", "--replicas=2")
        end = time.monotonic() + 30
        while len(json.loads(kubectl(cp, "get", "pods", "-o", "json"))["items"]) < 2:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_two_run_side_by_side_and_one_can_be_restarted_on_its_data(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "a") as one, ControlPlane(tmp_path / "b") as other:
        assert one.url != other.url
        kubectl(one, "create", "namespace", "kept")
        one.restart()
        assert "kept" in kubectl(one, "get", "namespaces")
        assert "kept" not in kubectl(other, "get", "namespaces")


def test_when_a_component_dies_at_once_its_last_words_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("a file where the data should be")
    cp = ControlPlane(tmp_path)
    with pytest.raises(Exception, match="etcd died"):
        cp.start()
    assert cp.supervisor.records.load() == {}
