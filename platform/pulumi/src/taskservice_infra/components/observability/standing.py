"""What the local parts have in common: one pod with a configuration and a scratch folder, behind a Service."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Service

from taskservice_infra.components import workloads
from taskservice_infra.components.component import child_of

CONFIG, DATA = "/etc/part", "/var/lib/part"


@dataclass(frozen=True)
class Part:
    """A part that runs once.  ``files``: its configuration, by file name, below ``CONFIG``; it may write to ``DATA``.

    ``ports`` by name.  ``ready``: path and name of the port that tells readiness.
    """

    name: str
    namespace: str
    image: str
    memory: str
    files: Mapping[str, str]
    arguments: tuple[str, ...]
    ports: Mapping[str, int]
    ready: tuple[str, str]
    account: str | None = None
    sidecars: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    after: tuple[pulumi.Resource, ...] = field(default=())


def stand(parent: pulumi.ComponentResource, part: Part) -> StatefulSet:
    """Declare the part's ConfigMap, Service and StatefulSet; a changed configuration restarts the pod."""
    config = ConfigMap(part.name, metadata=_metadata(part), data=dict(part.files), opts=child_of(parent))
    ports: Any = [{"name": name, "port": number, "target_port": name} for name, number in part.ports.items()]
    Service(
        part.name,
        metadata=_metadata(part),
        spec={"selector": workloads.selector(part.name), "ports": ports},
        opts=child_of(parent),
    )
    spec: Any = {
        "replicas": 1,
        "serviceName": part.name,
        "selector": {"matchLabels": workloads.selector(part.name)},
        "template": {
            "metadata": {
                "labels": workloads.labels(part.name),
                "annotations": {"taskservice.dev/config": digest(part.files)},
            },
            "spec": pod(part),
        },
    }
    return StatefulSet(
        part.name, metadata=_metadata(part), spec=spec, opts=child_of(parent, depends_on=[config, *part.after])
    )


def pod(part: Part) -> dict[str, Any]:
    """The pod, restricted."""
    path, port = part.ready
    container = {
        "name": part.name,
        "image": part.image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(part.arguments),
        "ports": [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in part.ports.items()],
        "readinessProbe": {"httpGet": {"path": path, "port": port}, "periodSeconds": 3, "failureThreshold": 3},
        "securityContext": workloads.container_security(),
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": part.memory}},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG, "readOnly": True},
            {"name": "data", "mountPath": DATA},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a volume of its pod
            *part.mounts,
        ],
    }
    account = {"serviceAccountName": part.account} if part.account else {}
    return {
        **account,
        "automountServiceAccountToken": part.account is not None,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": workloads.pod_security(),
        "containers": [container, *part.sidecars],
        "volumes": [
            {"name": "config", "configMap": {"name": part.name}},
            {"name": "data", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            *part.volumes,
        ],
    }


def digest(files: Mapping[str, str]) -> str:
    """A short hash of a configuration."""
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]


def _metadata(part: Part) -> Any:
    return {"name": part.name, "namespace": part.namespace, "labels": workloads.labels(part.name)}
