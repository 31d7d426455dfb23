"""The StatefulSet of a server of which there is one: other settings restart it; a volume if a size is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from taskservice_infra.components import workloads
from taskservice_infra.config.data import Storage


def spec(name: str, pod: dict[str, Any], files: Mapping[str, str], storage: Storage) -> dict[str, Any]:
    """The spec. Its pod has volumes ``settings`` (that ConfigMap, with ``files``), ``tmp`` and ``data``."""
    volumes: list[dict[str, Any]] = [{"name": "settings", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}]
    if not storage.size:
        volumes.append({"name": "data", "emptyDir": {}})
    checksum = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    template: dict[str, Any] = {
        "metadata": {"labels": workloads.labels(name), "annotations": {"checksum/settings": checksum}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 60,
            "securityContext": workloads.pod_security(),
            "volumes": volumes,
            **pod,
        },
    }
    made: dict[str, Any] = {
        "replicas": 1,
        "serviceName": name,
        "selector": {"matchLabels": workloads.selector(name)},
        "template": template,
    }
    if storage.size:
        made["volumeClaimTemplates"] = [workloads.claim("data", storage.size, storage.class_name)]
    return made
