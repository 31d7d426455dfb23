"""What the demonstration and the end-to-end tests stand on: images loaded, charts installed, the sample ready."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taskservice_demo.load import Target
from taskservice_local import builder
from taskservice_local.commands import run, wait_for
from taskservice_local.errors import LocalError
from taskservice_local.kubectl import Kubectl
from taskservice_local.loading import kind_of, kubectl_for, load_images
from taskservice_local.paths import CHECKOUT, ClusterPaths
from taskservice_local.progress import step

OPERATOR_NAMESPACE = "taskservice-system"
CHARTS = CHECKOUT / "charts"
IMAGES = ("operator", "service", "mongod", "redis")
"""What every sample needs; with ``rabbitmq`` besides, it comes with its worker."""
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@dataclass(frozen=True)
class Stage:
    """A cluster that runs the operator.  ``images``: full references by catalogue name."""

    paths: ClusterPaths
    kubectl: Kubectl
    images: dict[str, str]

    @property
    def kubeconfig(self) -> Path:
        return self.paths.kubeconfig

    def helm(self, *words: str, timeout: float = 300) -> str:
        """Run Helm against the cluster.  Raises CommandFailed."""
        # Helm keeps repositories and caches in the home folder; ours has none of the user's.
        home = {
            name: str(self.paths.state / "helm") for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")
        }
        program = builder.ensure_binary("helm")
        return run([program, "--kubeconfig", self.kubeconfig, *words], env=home, timeout=timeout)

    def plugin(self, *words: str, timeout: float = 60) -> str:
        """Run ``kubectl taskservice`` against the cluster.  Raises CommandFailed."""
        env = {"PYTHONPATH": os.pathsep.join([str(CHECKOUT / "operator" / "src"), os.environ.get("PYTHONPATH", "")])}
        argv: list[str | Path] = [sys.executable, "-m", "taskservice_operator.cli", "--kubeconfig", self.kubeconfig]
        return run([*argv, *words], env=env, timeout=timeout)

    def taskservice(self, namespace: str, name: str) -> dict[str, Any]:
        """The TaskService as it is now; an empty mapping when it is not there."""
        return self.kubectl.get("taskservices.taskservice.dev", name, "-n", namespace) or {}

    def target(self, namespace: str, service: str) -> Target:
        """The address of a Service, reachable from this machine.  Raises LocalError if the Service is not there."""
        found = self.kubectl.get("service", service, "-n", namespace)
        if found is None:
            raise LocalError(f"Service {namespace}/{service} is not there.")
        return Target(found["spec"]["clusterIP"], found["spec"]["ports"][0]["port"])


def prepare(names: Sequence[str] = IMAGES) -> Stage:
    """These images built and loaded, CRDs and operator installed and available.  The cluster must be up.

    Raises LocalError with a sentence when it is not, or when something does not become ready.
    """
    paths = ClusterPaths.of()
    empty = Stage(paths, kubectl_for(paths, kind_of(paths)), {})
    # The operator starts while the other images are on their way.
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(add_images, empty, *(name for name in names if name != "operator"))
        stage = add_images(empty, "operator")
        install_operator(stage)
        return replace(stage, images={**stage.images, **others.result().images})


def add_images(stage: Stage, *names: str) -> Stage:
    """The stage with these images of the catalogue besides, built and loaded.  Raises LocalError."""
    return replace(stage, images={**stage.images, **load_images(*names, paths=stage.paths)})


def install_operator(stage: Stage, *settings: str) -> None:
    """Install or upgrade CRDs and operator by their charts, and wait for the operator to be available.

    ``settings``: further values of the operator's chart, like ``vault.address=…``; those of before are not kept.
    """
    with step("charts: CRDs and operator"):
        namespace = ["--namespace", OPERATOR_NAMESPACE, "--create-namespace"]
        stage.helm("upgrade", "--install", "taskservice-crds", str(CHARTS / "taskservice-crds"), *namespace)
        stage.kubectl("label", "namespace", OPERATOR_NAMESPACE, RESTRICTED, "--overwrite")
        chart, image = str(CHARTS / "taskservice-operator"), f"image={stage.images['operator']}"
        stage.helm(
            "upgrade", "--install", "taskservice-operator", chart, *namespace, "--set", ",".join([image, *settings])
        )
        stage.kubectl(
            "rollout", "status", "deployment", "-n", OPERATOR_NAMESPACE, "--timeout=110s",
            "-l", "app.kubernetes.io/name=taskservice-operator",
        )  # fmt: skip


def install_sample(stage: Stage, namespace: str, values: dict[str, Any], *, wait: bool = True) -> None:
    """Install or upgrade the sample application; with ``wait`` until its TaskServices are Ready.

    Its worker, and the broker between, run where the broker's image is on the stage.
    """
    with step(f"the sample application in namespace {namespace}"):
        make_namespace(stage, namespace)
        every = {"image": stage.images["service"], **values}
        every["worker"] = {"enabled": "rabbitmq" in stage.images, **values.get("worker", {})}
        stage.helm(
            "upgrade", "--install", "sample", str(CHARTS / "taskservice-app"),
            "--namespace", namespace, "--values", _values_file(stage, namespace, every),
            timeout=400,
        )  # fmt: skip
        for name in ("auth", "tasks", *(["worker"] if every["worker"]["enabled"] else [])) if wait else ():
            wait_ready(stage, namespace, name, 240)


def make_namespace(stage: Stage, namespace: str) -> None:
    """A namespace under restricted Pod Security; one that exists is taken as it is."""
    if stage.kubectl.get("namespace", namespace) is None:
        stage.kubectl("create", "namespace", namespace)
    stage.kubectl("label", "namespace", namespace, RESTRICTED, "--overwrite")


def wait_ready(stage: Stage, namespace: str, name: str, seconds: float) -> dict[str, Any]:
    """Wait until the TaskService is Ready at its present generation.  Raises LocalError with what it waits for."""

    def ready() -> dict[str, Any] | None:
        found = stage.taskservice(namespace, name)
        return found if is_ready(found) else None

    try:
        return wait_for(f"TaskService {namespace}/{name}", ready, seconds, every=0.3)
    except LocalError:
        status = stage.taskservice(namespace, name).get("status") or {}
        waiting = status.get("step", "it has no status at all")
        raise LocalError(f"TaskService {namespace}/{name} is not Ready after {seconds:.0f} s: {waiting}") from None


def is_ready(taskservice: dict[str, Any]) -> bool:
    """Ready=True, said of the generation that the object has now."""
    status = taskservice.get("status") or {}
    if status.get("observedGeneration") != taskservice.get("metadata", {}).get("generation"):
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", []))


def _values_file(stage: Stage, namespace: str, values: dict[str, Any]) -> str:
    """Helm reads values from a file; JSON is YAML."""
    place = stage.paths.state / f"sample-{namespace}.json"
    place.write_text(json.dumps(values))
    place.chmod(0o600)
    return str(place)
