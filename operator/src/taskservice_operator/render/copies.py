"""Immutable copies of configuration, named by revision: a rollback finds its own, whatever the source says by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_operator.render.identity import Owner


def build_config_copy(owner: Owner, revision: str, source: str, data: Mapping[str, str]) -> dict[str, Any]:
    """An immutable ConfigMap with ``data`` as resolved when the revision was made."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owner.metadata(owner.copy(revision, source), revision),
        "immutable": True,
        "data": dict(data),
    }


def build_secret_copy(owner: Owner, revision: str, source: str, data: Mapping[str, str]) -> dict[str, Any]:
    """An immutable Secret; ``data`` values are base64 as the API server holds them."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": owner.metadata(owner.copy(revision, source), revision),
        "type": "Opaque",
        "immutable": True,
        "data": dict(data),
    }
