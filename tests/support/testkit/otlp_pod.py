"""A receiver of spans in a pod of the cluster, for services that run there; what it got is read from its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from testkit.live import Live

NAME = "collector"
URL = f"http://{NAME}:4318"
SOURCE = (Path(__file__).parent / "otlp_receiver.py").read_text()


def start_collector(live: Live) -> None:
    """Answers under ``URL`` from the namespace once its pod is ready; services do not wait for it."""
    live.apply(_service(), _pod(live.stage.images["service"]))


def spans_of(live: Live, trace_id: str) -> list[dict[str, Any]]:
    """The spans of a trace so far, as :class:`testkit.otlp_receiver.ReceivedSpan` has them."""
    lines = live.kubectl("logs", NAME).splitlines()
    return [span for span in map(json.loads, lines) if span["trace_id"] == trace_id]


def _service() -> dict[str, Any]:
    ports = [{"name": "otlp", "port": 4318, "targetPort": "otlp"}]
    spec = {"selector": {"app.kubernetes.io/name": NAME}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}


def _pod(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/name": NAME}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": NAME,
                    "image": image,
                    "command": ["python", "-c", SOURCE],
                    "ports": [{"name": "otlp", "containerPort": 4318}],
                    "readinessProbe": {"tcpSocket": {"port": "otlp"}, "periodSeconds": 1},
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
