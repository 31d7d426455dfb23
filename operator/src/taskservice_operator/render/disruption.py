"""The PodDisruptionBudget of the live side: a node drain must not take more of it than a release would."""

from __future__ import annotations

from typing import Any

from taskservice_operator.render.identity import Owner


def build_disruption_budget(owner: Owner, revision: str | None) -> dict[str, Any]:
    """At most a quarter of the live pods (rounded up by Kubernetes, so at least one) may be evicted.

    ``revision``: the one that is live, or None while all are.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": owner.metadata(owner.name),
        "spec": {
            "selector": {"matchLabels": owner.selector(revision)},
            "maxUnavailable": "25%",
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
