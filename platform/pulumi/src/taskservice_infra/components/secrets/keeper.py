"""How the keeper's pods look, whatever command they run, and the names that its parts share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pulumi

from taskservice_infra.components import workloads

KEYS = "vault-keys"
"""The Secret of Vault's keys, made by the bootstrap: it is in no manifest and in no state file."""
BOOTSTRAP = "vault-bootstrap"
"""The Job of project ``secrets`` that makes Vault what it should be, and its account, which may read the keys."""
TOKEN_FOLDER = "/var/run/secrets/vault"  # noqa: S105 - where a token is mounted
CA_FOLDER = "/etc/vault-ca"


@dataclass(frozen=True)
class VaultEndpoint:
    """How a Vault is reached: ``address`` leads to the node that is active, ``nodes`` are all of them.

    ``ca_secret``: the Secret with its signer's certificate, None for plain HTTP.
    """

    address: str
    nodes: tuple[str, ...]
    ca_secret: str | None = None

    def arguments(self) -> list[str]:
        """What every command of the keeper is told of it."""
        return [f"--address={self.address}", *self.ca_arguments()]

    def ca_arguments(self) -> list[str]:
        return [f"--ca-file={CA_FOLDER}/ca.crt"] if self.ca_secret else []


def pod(
    name: str,
    image: str | pulumi.Output[str],
    arguments: list[str],
    *,
    service_account: str | None = None,
    endpoint: VaultEndpoint | None = None,
    env: list[dict[str, Any]] | None = None,
    volumes: list[dict[str, Any]] | None = None,
    mounts: list[dict[str, Any]] | None = None,
    ports: list[dict[str, Any]] | None = None,
    memory: str = "160Mi",
    restart: str = "Never",
) -> dict[str, Any]:
    """The template of a pod of the keeper; ``volumes`` and ``mounts`` besides its ``/tmp``."""
    volumes = [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}, *(volumes or [])]
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, *(mounts or [])]  # noqa: S108 - a volume of the pod
    if endpoint and endpoint.ca_secret:
        items = [{"key": "ca.crt", "path": "ca.crt"}]
        volumes.append({"name": "vault-ca", "secret": {"secretName": endpoint.ca_secret, "items": items}})
        mounts.append({"name": "vault-ca", "mountPath": CA_FOLDER, "readOnly": True})
    container: dict[str, Any] = {
        "name": "keeper",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "securityContext": workloads.container_security(),
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": memory}},
        "volumeMounts": mounts,
        **({"env": env} if env else {}),
        **({"ports": ports} if ports else {}),
    }
    spec: dict[str, Any] = {
        "restartPolicy": restart,
        "enableServiceLinks": False,
        "automountServiceAccountToken": service_account is not None,
        "securityContext": workloads.pod_security(),
        "containers": [container],
        "volumes": volumes,
        **({"serviceAccountName": service_account} if service_account else {}),
    }
    return {"metadata": {"labels": workloads.labels(name)}, "spec": spec}


def shelf(claim: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Volume and mount of a claim that backups are kept on."""
    volume = {"name": "backups", "persistentVolumeClaim": {"claimName": claim}}
    return volume, {"name": "backups", "mountPath": "/backups"}


def claim_spec(size: str, storage_class: str | None) -> Any:
    """The spec of a claim that backups are kept on."""
    return workloads.claim("backups", size, storage_class)["spec"]


def fingerprint(*parts: Any) -> str:
    """Eight digits of what a Job depends on: its template cannot change, so its name does."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
