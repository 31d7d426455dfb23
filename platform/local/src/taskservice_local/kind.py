"""A kind cluster, where Docker answers; with metrics-server, as in the built one, and a kubeconfig in our state."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from taskservice_local import builder
from taskservice_local.commands import run, wait_for
from taskservice_local.gateway import Gateway
from taskservice_local.kubectl import Kubectl
from taskservice_local.parts import METRICS_SERVER
from taskservice_local.paths import ClusterPaths
from taskservice_local.program_images import METRICS_SERVER_IMAGE
from taskservice_local.progress import step
from taskservice_local.status import Report

NODE_IMAGE = "kindest/node:v1.35.0"


class KindCluster:
    """One kind cluster, up or not."""

    kind = "kind"

    def __init__(self, paths: ClusterPaths) -> None:
        self.paths = paths

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.paths.kubeconfig, shutil.which("kubectl") or builder.ensure_binary("kubectl"))

    def up(self) -> None:
        """Create the cluster, or find it, and write its kubeconfig. Raises LocalError when kind fails."""
        name, kubeconfig = f"--name={self.paths.name}", f"--kubeconfig={self.paths.kubeconfig}"
        self.paths.state.mkdir(parents=True, exist_ok=True)
        if self._exists():
            self._kind("export", "kubeconfig", name, kubeconfig)
        else:
            image = os.environ.get("KIND_NODE_IMAGE", NODE_IMAGE)
            with step(f"creating a kind cluster ({image})"):
                self._kind("create", "cluster", name, kubeconfig, f"--image={image}", "--wait=120s")
        self.paths.kubeconfig.chmod(0o600)
        builder.build((METRICS_SERVER,))
        with step("starting metrics"):
            self.load(METRICS_SERVER_IMAGE.archive())
            self.kubectl.apply("metrics-server.yaml", image=METRICS_SERVER_IMAGE.reference)
            wait_for("metrics-server", self.kubectl.has_metrics, 120, every=1)

    def add_gateway(self) -> None:
        """Add the gateway to the cluster that is up. Raises LocalError."""
        self._gateway.ensure()

    def down(self) -> None:
        """Delete the cluster; does nothing where there is none."""
        with step("deleting the kind cluster"):
            self._kind("delete", "cluster", f"--name={self.paths.name}", f"--kubeconfig={self.paths.kubeconfig}")
        shutil.rmtree(self.paths.state, ignore_errors=True)

    def load(self, archive: Path) -> None:
        """Import an image archive into the cluster's node. Raises LocalError when kind fails."""
        self._kind("load", "image-archive", str(archive), f"--name={self.paths.name}")

    def report(self) -> Report:
        """Return the state of the node, and of the gateway if there is one."""
        if not self._exists():
            return Report(f"The kind cluster {self.paths.name} is gone; `up` makes it again.", healthy=False)
        node = f"{self.paths.name}-control-plane"
        ready = self.kubectl.node_ready(node)
        text = f"node {node}: {'Ready' if ready else 'not Ready'}"
        if not self._gateway.exists():
            return Report(text, healthy=ready)
        gateway = self._gateway.ready()
        return Report(f"{text}\ngateway: {'Ready' if gateway else 'not Ready'}", healthy=ready and gateway)

    @property
    def _gateway(self) -> Gateway:
        return Gateway(self.kubectl, self.load, self.paths.state / "helm")

    def _exists(self) -> bool:
        return self.paths.name in self._kind("get", "clusters").split()

    def _kind(self, *words: str) -> str:
        return run([shutil.which("kind") or builder.ensure_binary("kind"), *words])
