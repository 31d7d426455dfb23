"""The kind cluster's commands; kind, Docker and kubectl are played by a script that writes down what it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taskservice_local.current import CurrentCluster
from taskservice_local.errors import LocalError
from taskservice_local.kind import KindCluster
from taskservice_local.paths import ClusterPaths
from taskservice_local.program_images import ProgramImage

SCRIPT = """#!/bin/sh
echo "$(basename "$0") $*" >> {calls}
case "$*" in
  "get clusters") cat {clusters} 2>/dev/null || true ;;
  create*) for word; do case $word in --kubeconfig=*) echo new > "${{word#*=}}" ;; esac; done; echo lab > {clusters} ;;
  *"get --raw"*) echo '{{"items": [{{}}]}}' ;;
  *"get gatewayclass"*) echo "not found" >&2; exit 1 ;;
  *"config view"*) echo "the current context" ;;
esac
"""


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    return ClusterPaths("lab", tmp_path / "state")


@pytest.fixture
def calls(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of commands that were run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("kind", "kubectl"):
        (folder / name).write_text(SCRIPT.format(calls=tmp_path / "calls", clusters=tmp_path / "clusters"))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("taskservice_local.kind.builder.build", lambda _: None)
    monkeypatch.setattr(ProgramImage, "archive", lambda _: tmp_path / "image.tar")
    return tmp_path / "calls"


def test_a_kind_cluster_gets_its_kubeconfig_into_our_state_and_metrics_as_the_built_one(
    calls: Path, paths: ClusterPaths
) -> None:
    KindCluster(paths).up()
    said = calls.read_text()
    assert f"kind create cluster --name=lab --kubeconfig={paths.kubeconfig} --image=kindest/node:v1.35" in said
    assert "kind load image-archive" in said
    assert f"kubectl --kubeconfig={paths.kubeconfig} apply" in said
    assert paths.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_a_kind_cluster_that_is_up_is_not_created_again(calls: Path, paths: ClusterPaths) -> None:
    KindCluster(paths).up()
    KindCluster(paths).up()
    assert calls.read_text().count("create cluster") == 1
    assert "export kubeconfig" in calls.read_text()


def test_taking_a_kind_cluster_down_deletes_just_that_one(calls: Path, paths: ClusterPaths) -> None:
    KindCluster(paths).up()
    KindCluster(paths).down()
    assert f"kind delete cluster --name=lab --kubeconfig={paths.kubeconfig}" in calls.read_text()
    assert not paths.state.exists()


def test_an_existing_cluster_is_copied_and_otherwise_left_alone(calls: Path, paths: ClusterPaths) -> None:
    cluster = CurrentCluster(paths)
    cluster.up()
    assert paths.kubeconfig.read_text() == "the current context\n"
    assert paths.kubeconfig.stat().st_mode & 0o777 == 0o600
    with pytest.raises(LocalError, match="registry"):
        cluster.load(Path("x.tar"))
    with pytest.raises(LocalError, match="GatewayClass"):
        cluster.add_gateway()
    cluster.down()
    assert not any(word in calls.read_text() for word in (" apply", " delete", " create"))
