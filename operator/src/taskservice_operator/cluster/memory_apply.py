"""How the API server merges, in miniature: server-side apply of one manager, and JSON merge patch.

Exact for what our manifests use: maps merge, lists of named things merge by their key, other lists are replaced,
and what the manager applied before but does not apply now is removed.  ``spec.replicas`` given up by us stays when
an autoscaler has set it too, and falls back to the server's default of 1 when not: as with the real one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_LIST_KEYS = ("name", "uid", "mountPath", "containerPort", "type")


def apply_manifest(
    existing: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    manifest: Mapping[str, Any],
    *,
    replicas_shared: bool = False,
) -> dict[str, Any]:
    """The object after applying ``manifest``; ``before`` is what the same manager applied last."""
    base = copy.deepcopy(dict(existing or {}))
    had_replicas = (before or {}).get("spec", {}).get("replicas") is not None
    kept = base.get("spec", {}).get("replicas")
    if before is not None:
        _remove_given_up(base, before, manifest)
    merged = _merge(base, manifest)
    if merged.get("kind") == "Deployment" and had_replicas and "replicas" not in (manifest.get("spec") or {}):
        merged["spec"]["replicas"] = kept if replicas_shared else 1
    return merged


def merge_patch(target: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7386)."""
    result = dict(target)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            old = result.get(name)
            result[name] = merge_patch(old if isinstance(old, Mapping) else {}, value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def _merge(base: Any, new: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(new, Mapping):
        return {**base, **{name: _merge(base.get(name), value) for name, value in new.items()}}
    key = _list_key(base, new)
    if key is not None:
        listed = {item[key]: item for item in base}
        listed.update({item[key]: _merge(listed.get(item[key]), item) for item in new})
        return list(listed.values())
    return copy.deepcopy(new)


def _remove_given_up(base: Any, before: Any, now: Any) -> None:
    if isinstance(before, Mapping) and isinstance(base, dict):
        for name, old in before.items():
            if not isinstance(now, Mapping) or name not in now:
                base.pop(name, None)
            else:
                _remove_given_up(base.get(name), old, now[name])
        return
    key = _list_key(before, now)
    if key is not None and isinstance(base, list):
        wanted = {item[key]: item for item in now}
        gone = {item[key] for item in before} - set(wanted)
        base[:] = [item for item in base if item.get(key) not in gone]
        old = {item[key]: item for item in before}
        for item in base:
            if item.get(key) in old:
                _remove_given_up(item, old[item[key]], wanted[item[key]])


def _list_key(first: Any, second: Any) -> str | None:
    """The key by which two lists merge; None when they are not lists of such things."""
    if not (isinstance(first, list | tuple) and isinstance(second, list | tuple)):
        return None
    items = [*first, *second]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    return next((key for key in _LIST_KEYS if all(key in item for item in items)), None)
