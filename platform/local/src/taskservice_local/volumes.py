"""Storage for claims on the built cluster: a pool of folders of the host, as `local` PersistentVolumes of one class.

Kubernetes binds them, hands them to the group of a pod (`fsGroup`), and never gives away one that held data of another
claim: such a volume stays Released until the next `up` empties its folder and makes it anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from taskservice_local.kubectl import Kubectl

STORAGE_CLASS = "local"
POOL = 16
# Nominal: a folder has no quota; claims up to this size are bound.
CAPACITY = "20Gi"


def names() -> list[str]:
    """Return the names of all volumes of the pool."""
    return [f"volume-{number:02d}" for number in range(POOL)]


def storage_class() -> dict[str, Any]:
    """Return the class, the cluster's default: claims wait for their pod, then take a volume that is there."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def volume(name: str, folder: Path, node: str) -> dict[str, Any]:
    """Return one volume: a folder on that node."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": CAPACITY},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(folder / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def ensure(kubectl: Kubectl, folder: Path, node: str) -> None:
    """Make the class and every volume that is missing; empty and make anew those whose claim is gone.

    Raises LocalError when the API server refuses.
    """
    found = {each["metadata"]["name"]: each for each in (kubectl.get("persistentvolumes") or {}).get("items", [])}
    released = [name for name in names() if phase(found.get(name)) in {"Released", "Failed"}]
    if released:
        kubectl("delete", "persistentvolume", *released)
    for name in released:
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in names() if name not in found or name in released]
    for name in names():
        (folder / name).mkdir(exist_ok=True)
    if wanted:
        made = [storage_class(), *(volume(name, folder, node) for name in wanted)]
        kubectl(
            "apply", "--validate=false", "-f", "-",
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}),
        )  # fmt: skip


def phase(found: dict[str, Any] | None) -> str | None:
    """Return the phase of a volume, None for one that is not there."""
    return found.get("status", {}).get("phase") if found else None
