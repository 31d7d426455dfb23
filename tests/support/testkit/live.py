"""TaskServices on the real cluster, for end-to-end tests: apply, change, wait, ask.

Everything goes through kubectl with the user's door (the API server), never around it.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskservice_demo.stage import Stage, is_ready

ECHO = (Path(__file__).parent / "echo_server.py").read_text()
TSVC = "taskservices.taskservice.dev"


def an_echo(stage: Stage, name: str, **spec: Any) -> dict[str, Any]:
    """A TaskService whose pods answer with their revision and environment; ``spec`` adds to or replaces fields."""
    return {
        "apiVersion": "taskservice.dev/v1alpha1",
        "kind": "TaskService",
        "metadata": {"name": name},
        "spec": {
            "image": stage.images["service"],
            "command": ["python3", "-c", ECHO],
            "replicas": 2,
            "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}},
            "probes": {"readiness": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}},
            **spec,
        },
    }


@dataclass
class Live:
    """One namespace of the cluster."""

    stage: Stage
    namespace: str

    def kubectl(self, *words: str, input: str | None = None) -> str:
        return self.stage.kubectl("-n", self.namespace, *words, input=input)

    def apply(self, *manifests: dict[str, Any]) -> str:
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return self.kubectl("apply", "-f", "-", input=json.dumps(document))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.stage.kubectl.get(kind, name, "-n", self.namespace)

    def list(self, kind: str, *words: str) -> list[dict[str, Any]]:
        return (self.stage.kubectl.get(kind, "-n", self.namespace, *words) or {"items": []})["items"]

    def tsvc(self, name: str) -> dict[str, Any]:
        return self.get(TSVC, name) or {}

    def status(self, name: str) -> dict[str, Any]:
        return self.tsvc(name).get("status") or {}

    def change(self, name: str, **spec: Any) -> None:
        """Merge ``spec`` into the TaskService's spec."""
        self.kubectl("patch", TSVC, name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def wait(
        self, name: str, what: str, until: Callable[[dict[str, Any]], bool], seconds: float = 90
    ) -> dict[str, Any]:
        """The TaskService once ``until`` holds of it at its present generation; fails with what it says of itself."""
        end = time.monotonic() + seconds
        while True:
            found = self.tsvc(name)
            status = found.get("status") or {}
            seen = bool(found) and status.get("observedGeneration") == found["metadata"].get("generation")
            if seen and until(found):
                return found
            if time.monotonic() > end:
                pods = [
                    (pod["metadata"]["name"], pod["status"].get("phase"), pod["status"].get("containerStatuses"))
                    for pod in self.list("pods", "-l", f"taskservice.dev/name={name}")
                ]
                raise AssertionError(f"{name} never was {what}: {json.dumps(status, indent=1)}\npods: {pods}")
            time.sleep(0.2)

    def wait_ready(self, name: str, seconds: float = 90) -> dict[str, Any]:
        return self.wait(name, "Ready", is_ready, seconds)

    def wait_phase(self, name: str, phase: str, seconds: float = 90) -> dict[str, Any]:
        return self.wait(name, phase, lambda found: found["status"]["phase"] == phase, seconds)

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        conditions = self.status(name).get("conditions") or []
        return next((each for each in conditions if each["type"] == kind), {})

    def active(self, name: str) -> str:
        return self.status(name)["revisions"]["active"]

    def plugin(self, *words: str) -> str:
        return self.stage.plugin(*words, "-n", self.namespace)

    def ask(self, service: str, path: str = "/") -> dict[str, Any]:
        """One request to a Service over a fresh connection."""
        target = self.stage.target(self.namespace, service)
        connection = http.client.HTTPConnection(target.host, target.port, timeout=30)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def answers(self, service: str, **expected: str) -> bool:
        """Whether the Service comes to answer with these variables; nodes learn of a switch a moment after the API."""
        end = time.monotonic() + 20
        while any((answer := self.ask(service)).get(name) != value for name, value in expected.items()):
            if time.monotonic() > end:
                raise AssertionError(f"{service} answers {answer}, not {expected}")
            time.sleep(0.2)
        return True

    def pod_uids(self, name: str, revision: str) -> set[str]:
        """UIDs of the living pods of a revision."""
        labels = f"taskservice.dev/name={name},taskservice.dev/revision={revision}"
        return {
            pod["metadata"]["uid"]
            for pod in self.list("pods", "-l", labels)
            if not pod["metadata"].get("deletionTimestamp")
        }
