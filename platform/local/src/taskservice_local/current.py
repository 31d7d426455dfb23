"""A cluster that is there already: the current context, copied into our state and otherwise left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from taskservice_local import builder
from taskservice_local.commands import run
from taskservice_local.errors import LocalError
from taskservice_local.gateway import CLASS
from taskservice_local.kubectl import Kubectl
from taskservice_local.paths import ClusterPaths
from taskservice_local.pki import write_private
from taskservice_local.progress import say
from taskservice_local.status import Report


class CurrentCluster:
    """Somebody else's cluster: nothing of it is started, stopped or installed here."""

    kind = "current"

    def __init__(self, paths: ClusterPaths) -> None:
        self.paths = paths

    @property
    def _kubectl(self) -> str | Path:
        return shutil.which("kubectl") or builder.ensure_binary("kubectl")

    def up(self) -> None:
        """Copy the current context. Raises LocalError when there is none or its API server does not answer."""
        context = run([self._kubectl, "config", "view", "--minify", "--flatten", "--raw"])
        write_private(self.paths.kubeconfig, context)
        if not self.report().healthy:
            raise LocalError("The API server of the current context does not answer: see `kubectl cluster-info`.")

    def add_gateway(self) -> None:
        """Raises LocalError unless the cluster has a gateway of its own: nothing is installed here."""
        if Kubectl(self.paths.kubeconfig, self._kubectl).get("gatewayclass", CLASS) is None:
            raise LocalError(
                f"This cluster has no GatewayClass {CLASS!r}, and nothing is installed into a cluster that was not "
                "started here: install Envoy Gateway and that class, or leave out GATEWAY=1."
            )

    def down(self) -> None:
        """Forget the copy; the cluster stays."""
        shutil.rmtree(self.paths.state, ignore_errors=True)
        say("The cluster itself was not started here and stays.")

    def load(self, archive: Path) -> None:
        """Always raises LocalError: we do not know the way to that cluster's nodes."""
        raise LocalError(f"Images of an existing cluster come from its registry: push {archive.name} there.")

    def report(self) -> Report:
        """Return whether its API server answers."""
        try:
            text = Kubectl(self.paths.kubeconfig, self._kubectl)("get", "nodes", "--request-timeout=10s")
        except LocalError as failure:
            return Report(str(failure), healthy=False)
        return Report(text.rstrip(), healthy=True)
