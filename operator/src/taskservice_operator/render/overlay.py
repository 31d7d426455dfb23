"""``spec.podTemplate``: the one escape hatch, laid over the pod template that we render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overlay(base: Any, patch: Any) -> Any:
    """Lay ``patch`` over ``base``.

    Mappings merge by key (null removes), lists of named mappings merge by ``name`` (as Kubernetes' strategic merge
    does for containers, env and volumes), anything else is replaced.
    """
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        merged = {key: value for key, value in base.items() if patch.get(key, ...) is not None}
        for key, value in patch.items():
            if value is not None:
                merged[key] = overlay(base[key], value) if key in base else value
        return merged
    if _is_named_list(base) and _is_named_list(patch):
        patches = {entry["name"]: entry for entry in patch}
        known = [overlay(entry, patches.pop(entry["name"], {})) for entry in base]
        return known + list(patches.values())
    return patch


def _is_named_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, Mapping) and isinstance(entry.get("name"), str) for entry in value)
    )
