"""What every workload of ours says: labels, and the security of its pods (Pod Security Standards, level restricted)."""

from __future__ import annotations

from typing import Any

USER = 10001
"""The user and group that our images run as."""


def labels(name: str) -> dict[str, str]:
    """Labels of an object that belongs to the workload ``name``."""
    return {**selector(name), "app.kubernetes.io/part-of": "taskservice"}


def selector(name: str) -> dict[str, str]:
    """Labels that select the pods of the workload ``name``; they never change."""
    return {"app.kubernetes.io/name": name}


def pod_security(user: int = USER) -> dict[str, Any]:
    """The securityContext of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The securityContext of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def claim(name: str, size: str, storage_class: str | None) -> dict[str, Any]:
    """A volumeClaimTemplate; ``size`` as Kubernetes writes it (``1Gi``)."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
