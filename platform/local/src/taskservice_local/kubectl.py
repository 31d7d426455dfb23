"""Talking to an API server by kubectl, and asking whether it is ready without it."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

from taskservice_local.commands import run
from taskservice_local.errors import LocalError
from taskservice_local.parts import KUBERNETES
from taskservice_local.paths import MANIFESTS


class Kubectl:
    """kubectl on one kubeconfig."""

    def __init__(self, kubeconfig: Path, program: Path | str | None = None) -> None:
        self.base: list[str | Path] = [program or KUBERNETES.binary("kubectl"), f"--kubeconfig={kubeconfig}"]

    def __call__(self, *words: str, input: str | None = None) -> str:
        """Run kubectl and return its stdout. Raises CommandError."""
        return run([*self.base, *words], input=input, timeout=120)

    def apply(self, manifest: str, **values: str) -> None:
        """Apply a manifest of this package, its $values filled in."""
        text = Template((MANIFESTS / manifest).read_text()).substitute(values)
        # Without --validate=false kubectl would download the whole schema each time.
        self("apply", "--validate=false", "-f", "-", input=text)

    def get(self, *words: str) -> dict[str, Any] | None:
        """Return an object, or None when it is not there or the API server does not answer."""
        try:
            return json.loads(self("get", *words, "-o", "json", "--request-timeout=5s"))
        except LocalError:
            return None

    def node_ready(self, node: str, since: datetime | None = None) -> bool:
        """Tell whether a node is Ready; said after `since`, if given, for the API server remembers what was."""
        found = self.get("node", node) or {}
        for each in found.get("status", {}).get("conditions", []):
            if each["type"] == "Ready" and each["status"] == "True":
                return since is None or datetime.fromisoformat(each["lastHeartbeatTime"]) >= since
        return False

    def has_metrics(self) -> bool:
        """Tell whether metrics-server answers through the API server, with the metrics of a node."""
        try:
            return bool(json.loads(self("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"])
        except LocalError:
            return False


def answers(address: str, port: int, ca: Path, path: str = "/readyz") -> bool:
    """Tell whether the API server at that address says it is ready."""
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection(address, port, context=context, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
