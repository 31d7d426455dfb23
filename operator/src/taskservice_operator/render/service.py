"""The two Services: live (``<name>``) and preview (``<name>-preview``).  Whom they select is for the core to say."""

from __future__ import annotations

from typing import Any

from taskservice_operator.api import names
from taskservice_operator.render.identity import Owner


def build_service(owner: Owner, name: str, revision: str, port: int) -> dict[str, Any]:
    """A ClusterIP Service that selects exactly the pods of ``revision``, on its port."""
    metadata = owner.metadata(name)
    metadata["labels"][names.LABEL_INSTANCE] = name
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": owner.selector(revision),
            "ports": [{"name": "http", "port": port, "targetPort": "http", "protocol": "TCP"}],
        },
    }
