"""The charts on a real API server: they install and upgrade, and their rights are enough for a release and no more.

The operator runs here as a process with the chart's own ServiceAccount and environment. There is no kubelet: the test
binds every pod to a node that exists in name only, and reports it as running and ready.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskservice_local import builder, parts
from taskservice_local.controlplane import ControlPlane

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = "taskservice-system"
NODE = "in-name-only"
OWNED = (
    "deployment",
    "service",
    "horizontalpodautoscaler",
    "poddisruptionbudget",
    "configmap",
    "secret",
    "controllerrevision",
)
TASKSERVICE = """
apiVersion: v1
kind: Secret
metadata: {name: given}
stringData: {PASSWORD: hunter2}
---
apiVersion: taskservice.dev/v1alpha1
kind: TaskService
metadata: {name: tasks}
spec:
  image: example/tasks:1
  resources: {requests: {cpu: 10m}}
  autoscaling: {maxReplicas: 3}
  config: [{name: settings, data: {LEVEL: info}}]
  secrets: [{name: login, secretRef: {name: given}}]
"""


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    kubectl_program: Path
    helm_program: Path

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self._run(self.kubectl_program, *words, stdin=stdin)

    def helm(self, *words: str) -> str:
        return self._run(self.helm_program, *words)

    def install(self, chart: str, *words: str) -> None:
        where = ("--namespace", SYSTEM, "--create-namespace")
        self.helm("upgrade", "--install", chart, str(ROOT / "charts" / chart), *where, *words)

    def _run(self, program: Path, *words: str, stdin: str | None = None) -> str:
        command = [str(program), "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command[3:])}: {done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    builder.build((parts.HELM,))
    with ControlPlane(tmp_path_factory.mktemp("controlplane"), controllers=True) as started:
        made = Cluster(started.kubeconfig, started.kubectl, parts.HELM.binary("helm"))
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        made.kubectl("create", "-f", "-", stdin=json.dumps(node))
        yield made


def eventually(what: str, probe: Callable[[], Any], tell: Callable[[], str] = str, seconds: float = 40) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s in vain for {what}\n{tell()}")


def play_kubelet(cluster: Cluster, namespace: str) -> None:
    """Bind every pod that does not run yet, and report it as running and ready."""
    pods = json.loads(cluster.kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"]
    for number, pod in enumerate(pods, start=1):
        if pod["status"]["phase"] == "Running":
            continue
        name = pod["metadata"]["name"]
        # Endpoints are made only of pods whose node exists.
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
        cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))
        ready = {"status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}
        status = {
            "phase": "Running",
            "podIP": f"10.97.1.{number}",
            "podIPs": [{"ip": f"10.97.1.{number}"}],
            "conditions": [{"type": kind, **ready} for kind in ("Ready", "ContainersReady")],
        }
        words = ("patch", "pod", name, "--subresource=status", "--type=merge")
        cluster.kubectl("-n", namespace, *words, "-p", json.dumps({"status": status}))


def test_the_definition_is_upgraded_with_its_chart_and_outlives_it(cluster: Cluster) -> None:
    cluster.install("taskservice-crds")
    cluster.kubectl("annotate", "crd", "taskservices.taskservice.dev", "example.com/mine=yes")
    cluster.install("taskservice-crds")
    cluster.helm("uninstall", "taskservice-crds", "--namespace", SYSTEM)
    assert "taskservices" in cluster.kubectl("get", "crd", "-o", "name")
    cluster.install("taskservice-crds", "--take-ownership")


def test_the_operators_pods_pass_the_restricted_standard(cluster: Cluster) -> None:
    cluster.install("taskservice-operator")
    cluster.kubectl("label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")
    pods = ("-n", SYSTEM, "get", "pods", "-o", "name")
    cluster.kubectl("-n", SYSTEM, "delete", "pods", "--all", "--force")
    eventually("two pods", lambda: len(cluster.kubectl(*pods).splitlines()) == 2)
    cluster.helm("uninstall", "taskservice-operator", "--namespace", SYSTEM, "--wait")


def operator_environment(cluster: Cluster, kubeconfig: Path) -> dict[str, str]:
    """The chart's own environment, with the downward API played and a port that is free."""
    raw = cluster.kubectl("-n", SYSTEM, "get", "deployment", "taskservice-operator", "-o", "yaml")
    (container,) = yaml.safe_load(raw)["spec"]["template"]["spec"]["containers"]
    chart = {entry["name"]: entry.get("value") or "" for entry in container["env"]}
    chart["TASKSERVICE_OPERATOR_LEASE_NAMESPACE"] = SYSTEM
    chart["TASKSERVICE_OPERATOR_PORT"] = "0"
    paths = os.pathsep.join(str(ROOT / path) for path in ("operator/src",))
    return {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "KUBECONFIG": str(kubeconfig), **chart}


@pytest.fixture(params=["everywhere", "one-namespace"])
def operator_log(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path
) -> Iterator[tuple[str, Callable[[], str]]]:
    """The operator at work with the chart's rights: the namespace it serves, and its log so far."""
    served = f"shop-{request.param}"
    cluster.install("taskservice-crds")
    cluster.kubectl("create", "namespace", served)
    chosen = ("--set", f"namespaces={{{served}}}") if request.param == "one-namespace" else ()
    cluster.install("taskservice-operator", *chosen)
    token = cluster.kubectl("-n", SYSTEM, "create", "token", "taskservice-operator").strip()
    content = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
    content["users"][0]["user"] = {"token": token}
    kubeconfig, log = tmp_path / "kubeconfig", tmp_path / "log"
    kubeconfig.write_text(yaml.safe_dump(content), encoding="utf-8")
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskservice_operator"],
            env=operator_environment(cluster, kubeconfig),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield served, lambda: log.read_text(encoding="utf-8")
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
                process.wait()
    cluster.helm("uninstall", "taskservice-operator", "--namespace", SYSTEM, "--wait")


def test_the_charts_rights_are_enough_for_a_release(
    cluster: Cluster, operator_log: tuple[str, Callable[[], str]]
) -> None:
    served, log = operator_log
    cluster.kubectl("-n", served, "apply", "-f", "-", stdin=TASKSERVICE)

    def phase() -> str:
        return cluster.kubectl("-n", served, "get", "tsvc", "tasks", "-o", "jsonpath={.status.phase}")

    def released() -> bool:
        play_kubelet(cluster, served)
        return phase() == "Stable"

    def scene() -> str:
        return cluster.kubectl("-n", served, "get", "tsvc,deploy,pods,endpointslices", "-o", "wide") + log()

    eventually("the release", released, scene)
    mine = ("-l", "taskservice.dev/name=tasks", "-o", "name")
    for kind in OWNED:
        eventually(f"a {kind}", lambda kind=kind: cluster.kubectl("-n", served, "get", kind, *mine))
    events = ("get", "events", "--field-selector", "involvedObject.kind=TaskService", "-o", "name")
    eventually("an event", lambda: cluster.kubectl("-n", served, *events))
    holder = ("get", "lease", "taskservice-operator", "-o", "jsonpath={.spec.holderIdentity}")
    assert cluster.kubectl("-n", SYSTEM, *holder)

    # Changed by hand, deleted by hand, gone with its owner: patch and delete are needed too.
    cluster.kubectl("-n", served, "delete", "service", "tasks")
    eventually("the Service again", lambda: "tasks" in cluster.kubectl("-n", served, "get", "service", *mine))
    cluster.kubectl(
        "-n", served, "patch", "tsvc", "tasks", "--type=merge", "-p", '{"spec":{"image":"example/tasks:2"}}'
    )
    eventually(
        "a second revision",
        lambda: len(cluster.kubectl("-n", served, "get", "controllerrevision", *mine).splitlines()) == 2,
    )
    said = log().lower()
    assert "forbidden" not in said, log()
    assert "traceback" not in said, log()
