"""By what the entries of a list are the same entry: Kubernetes' own merge keys, for overlays and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
"""By field name.  Lists not named here are one value: replaced as a whole and compared in order."""

PORT_KEYS = ("containerPort", "port")
"""Ports are one entry per number and protocol, under one field name in containers and Services."""


def identify(field: str, entry: Any) -> tuple[Any, ...] | None:
    """What tells an entry of the list ``field`` from others; None when such entries have no identity."""
    if not isinstance(entry, Mapping):
        return None
    if field == "ports":
        number = next((entry[key] for key in PORT_KEYS if key in entry), None)
        return None if number is None else (number, entry.get("protocol") or "TCP")
    keys = MERGE_KEYS.get(field)
    return None if keys is None or any(key not in entry for key in keys) else tuple(entry[key] for key in keys)


def by_identity(field: str, entries: Any) -> dict[tuple[Any, ...], Any] | None:
    """The entries by identity, in order; None when ``entries`` is no such list."""
    if not isinstance(entries, list | tuple):
        return None
    identified: dict[tuple[Any, ...], Any] = {}
    for entry in entries:
        identity = identify(field, entry)
        if identity is None or identity in identified:
            return None
        identified[identity] = entry
    return identified
