"""The HorizontalPodAutoscaler of one revision."""

from __future__ import annotations

from typing import Any

from taskservice_operator.api.spec import Autoscaling
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.record import Record


def build_autoscaler(owner: Owner, record: Record, autoscaling: Autoscaling, floor: int) -> dict[str, Any]:
    """An autoscaling/v2 HPA on the revision's Deployment with at least ``floor`` replicas (capped at the maximum)."""
    metrics = [dict(metric) for metric in autoscaling.metrics]
    if autoscaling.target_cpu is not None:
        target = {"type": "Utilization", "averageUtilization": autoscaling.target_cpu}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.child(record.revision)},
        "minReplicas": min(max(autoscaling.min_replicas, floor), autoscaling.max_replicas),
        "maxReplicas": autoscaling.max_replicas,
        "metrics": metrics,
    }
    if autoscaling.behavior:
        spec["behavior"] = dict(autoscaling.behavior)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": owner.metadata(owner.child(record.revision), record.revision, record.colour),
        "spec": spec,
    }
