"""The cluster `lifecycle-test`, driven by the same commands a developer types.

It has its own namespace, address ranges, state and cgroup, so it runs beside a cluster that is in use. Every test asks
for `cluster`, which is up and whole when the test begins, whatever an earlier test did to it; so any order works.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from taskservice_local.built import BuiltCluster
from taskservice_local.machine import Machine
from taskservice_local.parts import KUBERNETES
from taskservice_local.paths import CHECKOUT, ClusterPaths
from taskservice_local.processes import Record

NAME = "lifecycle-test"


@dataclass(frozen=True)
class Cluster:
    """The commands, and a few questions about what they left."""

    paths: ClusterPaths
    label: str

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        source = str(CHECKOUT / "platform" / "local" / "src")
        env = {**os.environ, "TASKSERVICE_CLUSTER": NAME, "CLUSTER": "built", "PYTHONPATH": source}
        return subprocess.run(
            [sys.executable, "-m", "taskservice_local", *words], env=env, capture_output=True, text=True, timeout=1800
        )

    def up(self) -> None:
        done = self.command("up")
        assert done.returncode == 0, done.stderr

    def down(self) -> None:
        done = self.command("down")
        assert done.returncode == 0, done.stderr

    def status(self) -> subprocess.CompletedProcess[str]:
        return self.command("status")

    def kubectl(self, *words: str, input: str | None = None) -> str:
        command = [str(KUBERNETES.binary("kubectl")), f"--kubeconfig={self.paths.kubeconfig}", *words]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def records(self) -> dict[str, Record]:
        return BuiltCluster(self.paths).supervisor.records.load()

    def pod_uids(self) -> set[str]:
        pods = json.loads(self.kubectl("get", "pods", "--namespace=kube-system", "-o", "json"))
        return {pod["metadata"]["uid"] for pod in pods["items"]}


@pytest.fixture(scope="session")
def lifecycle() -> Iterator[Cluster]:
    """The cluster as it may be: up, down or broken; gone when the tests are over."""
    machine = Machine()
    if not (machine.is_linux and machine.is_root):
        pytest.skip("a built cluster needs root on Linux")
    paths = ClusterPaths.of({**os.environ, "TASKSERVICE_CLUSTER": NAME})
    cluster = Cluster(paths, BuiltCluster(paths).label)
    cluster.down()
    yield cluster
    cluster.down()


@pytest.fixture
def cluster(lifecycle: Cluster) -> Cluster:
    """The cluster, up and whole."""
    lifecycle.up()
    return lifecycle
