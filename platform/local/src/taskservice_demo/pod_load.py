"""The same load from within the cluster, for clusters whose Services cannot be reached from this machine.

``load.py`` is standard library only, so its source is all that a pod of the service's image needs.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskservice_demo.load import Load, Sample, Target
from taskservice_demo.stage import Stage
from taskservice_local.errors import LocalError

POD = "load"
SOURCE = Path(__file__).with_name("load.py")
PROBE_SECONDS = 3.0


def can_reach(target: Target) -> bool:
    """Whether this machine itself can connect to a Service of the cluster."""
    try:
        with socket.create_connection((target.host, target.port), timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def load_for(stage: Stage, namespace: str, *, in_pod: bool | None = None) -> Load | PodLoad:
    """A load on the sample in ``namespace``, from this machine where that is possible, else from a pod."""
    auth, tasks = (stage.target(namespace, name) for name in ("auth", "tasks"))
    if in_pod is None:
        in_pod = not can_reach(auth)
    if not in_pod:
        return Load(auth, tasks)
    return PodLoad(stage, namespace, auth, tasks)


@dataclass
class PodLoad:
    """A pod that runs ``load.py``; its samples arrive through its log.  Same use as :class:`Load`."""

    stage: Stage
    namespace: str
    auth: Target
    tasks: Target
    rate: float = 120.0
    limit_seconds: float = 600.0
    samples: list[Sample] = field(default_factory=list)
    _reader: threading.Thread | None = None
    _log: subprocess.Popen[str] | None = None

    @contextmanager
    def running(self) -> Iterator[PodLoad]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Start the pod.  Raises LocalError when it does not come up."""
        kubectl = self.stage.kubectl
        kubectl("delete", "pod", POD, "-n", self.namespace, "--ignore-not-found", "--grace-period=0", "--force")
        kubectl("apply", "-n", self.namespace, "-f", "-", input=json.dumps(self._pod()))
        kubectl("wait", "--for=condition=Ready", f"pod/{POD}", "-n", self.namespace, "--timeout=90s")
        argv = [str(word) for word in kubectl.base]
        argv += ["logs", "-f", POD, "-n", self.namespace]
        self._log = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Remove the pod; what it had logged by then is counted."""
        self.stage.kubectl("delete", "pod", POD, "-n", self.namespace, "--ignore-not-found", "--grace-period=1")
        if self._reader is not None:
            self._reader.join(20)
        if self._log is not None:
            self._log.terminate()
            self._log.wait(10)
            if self._log.stdout is not None:
                self._log.stdout.close()

    def failures(self) -> list[Sample]:
        return [sample for sample in list(self.samples) if sample.failure]

    def _read(self) -> None:
        if self._log is None or self._log.stdout is None:
            raise LocalError("the load has not been started")
        for line in self._log.stdout:
            if line.startswith("{"):
                self.samples.append(Sample(**json.loads(line)))

    def _pod(self) -> dict[str, Any]:
        settings = {
            "auth": [self.auth.host, self.auth.port],
            "tasks": [self.tasks.host, self.tasks.port],
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "activeDeadlineSeconds": int(self.limit_seconds) + 60,
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "load",
                        "image": self.stage.images["service"],
                        "command": ["python3", "-c", SOURCE.read_text(), json.dumps(settings)],
                        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }
