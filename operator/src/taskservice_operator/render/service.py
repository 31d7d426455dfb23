"""The two Services: live (``<name>``) and preview (``<name>-preview``).  Whom they select is for the core to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.spec import DEFAULT_PORT
from taskservice_operator.render.identity import Owner

Ports = tuple[tuple[str, int], ...]
"""Names and numbers, the main port first."""


def ports_of(template: Mapping[str, Any]) -> Ports:
    """What a revision with this template answers on for others: its management port only if it is named among them."""
    further = ((entry["name"], entry["port"]) for entry in template.get("ports") or ())
    return (("http", template.get("port", DEFAULT_PORT)), *further)


def build_service(owner: Owner, name: str, revision: str | None, ports: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """A ClusterIP Service that selects exactly the pods of ``revision``, or of every one, on these ports."""
    metadata = owner.metadata(name)
    metadata["labels"][names.LABEL_INSTANCE] = name
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": owner.selector(revision),
            "ports": [{"name": port, "port": number, "targetPort": port, "protocol": "TCP"} for port, number in ports],
        },
    }
