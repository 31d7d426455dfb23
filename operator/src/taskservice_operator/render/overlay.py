"""``spec.podTemplate``: the one escape hatch, laid over the pod template that we render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_operator.render.merge_keys import by_identity


def overlay(base: Any, patch: Any, field: str = "") -> Any:
    """Lay ``patch`` over ``base``, both found under the name ``field``.

    Mappings merge by key (null removes), lists with a merge key merge by it (as Kubernetes' strategic merge does for
    containers, env, volumes and mounts), anything else is replaced.
    """
    if isinstance(patch, Mapping):
        under = base if isinstance(base, Mapping) else {}
        merged = {key: value for key, value in under.items() if patch.get(key, ...) is not None}
        for key, value in patch.items():
            if value is not None:
                merged[key] = overlay(under.get(key), value, key)
        return merged
    if isinstance(patch, list | tuple):
        known, patches = by_identity(field, base), by_identity(field, patch)
        if known is None or patches is None:
            return [overlay(None, entry) for entry in patch]
        kept = [overlay(entry, patches.pop(identity, {})) for identity, entry in known.items()]
        return kept + [overlay(None, entry) for entry in patches.values()]
    return patch
