"""The texts of policies, and the settings of roles. Pure."""

from __future__ import annotations

from typing import Any

from taskservice_keeper.vault.desired import Desired, Service

MARK = "# Written by taskservice-keeper from the stack's settings; the next bootstrap undoes an edit by hand.\n"
SNAPSHOT_ROLE = "keeper-snapshots"


def policies(desired: Desired) -> dict[str, str]:
    """Return every policy by name."""
    texts = {service.role: service_policy(desired, service) for service in desired.services}
    if desired.snapshots:
        texts[SNAPSHOT_ROLE] = MARK + _rule("sys/storage/raft/snapshot", "read")
    return texts


def service_policy(desired: Desired, service: Service) -> str:
    """Return what one service may do: read its own path."""
    return MARK + _rule(f"{desired.kv_mount}/data/{service.path}", "read")


def roles(desired: Desired) -> dict[str, dict[str, Any]]:
    """Return every role of the Kubernetes auth method by name: which ServiceAccount gets which policy."""
    found = {service.role: _role(desired, service.namespace, service.service_account, service.role)
             for service in desired.services}  # fmt: skip
    if desired.snapshots:
        found[SNAPSHOT_ROLE] = _role(desired, *desired.snapshots, SNAPSHOT_ROLE)
    return found


def _role(desired: Desired, namespace: str, account: str, policy: str) -> dict[str, Any]:
    return {
        "bound_service_account_names": [account],
        "bound_service_account_namespaces": [namespace],
        "audience": desired.audience,
        "alias_name_source": "serviceaccount_uid",
        "token_policies": [policy],
        "token_ttl": desired.token_ttl_seconds,
        "token_max_ttl": desired.token_ttl_seconds,
    }


def _rule(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'path "{path}" {{\n  capabilities = [{listed}]\n}}\n'
