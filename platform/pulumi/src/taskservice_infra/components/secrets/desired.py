"""What the sample's Vault should hold, in the words of ``taskservice_keeper.vault.desired``; no value of a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAMESPACE = "secrets"
AUDIENCE = "vault"
SNAPSHOTS = "vault-snapshots"
DIRECTORY = "platform/directory"


def desired(
    services: Iterable[tuple[str, str]],
    addresses: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    audit: bool = True,
) -> dict[str, Any]:
    """The description for services given as (namespace, ServiceAccount).

    ``addresses``: further fields by path. ``audit``: False where the server's own configuration names the device.
    """
    services = list(services)
    secrets: dict[str, dict[str, Any]] = {DIRECTORY: {"token": {"kind": "password", "length": 48}}}
    for namespace, account in services:
        fields = _own(account)
        if fields:
            secrets[f"taskservices/{namespace}/{account}"] = fields
    for path, fields in (addresses or {}).items():
        secrets[path] = {**secrets.get(path, {}), **fields}
    return {
        "audience": AUDIENCE,
        "audit": audit,
        "snapshots": [NAMESPACE, SNAPSHOTS],
        "services": [{"namespace": namespace, "service_account": account} for namespace, account in services],
        "secrets": {path: fields for path, fields in sorted(secrets.items()) if fields},
    }


def _own(account: str) -> dict[str, Any]:
    """What the sample's services need besides addresses, by their names."""
    token = {"kind": "text", "text": f"${{{DIRECTORY}#token}}"}
    return {
        "auth": {"TASKSERVICE_JWT_PRIVATE_KEY": {"kind": "ed25519"}, "TASKSERVICE_DIRECTORY_TOKEN": token},
        "tasks": {"TASKSERVICE_DIRECTORY_TOKEN": token},
    }.get(account, {})
