"""Statuses as metrics: what is there is shown, what is gone is not."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from taskservice_operator.state_metrics import TaskServiceStates

STATUS = {
    "phase": "Staging",
    "revisions": {"active": "a1", "stable": "a1", "candidate": "b2", "wanted": "b2"},
    "replicas": 3,
    "readyReplicas": 2,
    "conditions": [{"type": "Ready", "status": "True", "reason": "Progressing"}],
    "rollout": {"startedAt": "2026-01-01T12:00:00Z"},
}


def a_registry(*statuses: dict[str, Any] | None) -> CollectorRegistry:
    registry = CollectorRegistry()
    taskservices = [
        {"metadata": {"namespace": "shop", "name": f"web{n}"}, **({"status": status} if status else {})}
        for n, status in enumerate(statuses)
    ]
    registry.register(TaskServiceStates(lambda: taskservices))
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, {"namespace": "shop", "taskservice": "web0", **labels})


def test_a_release_under_way_is_seen_with_its_sides_and_its_start() -> None:
    registry = a_registry(STATUS)
    assert value(registry, "taskservice_status_phase", phase="Staging") == 1
    assert value(registry, "taskservice_status_phase", phase="Stable") is None
    assert value(registry, "taskservice_status_condition", condition="Ready", status="True") == 1
    roles = {"active": "a1", "stable": "a1", "candidate": "b2"}
    for role, revision in roles.items():
        assert value(registry, "taskservice_status_revision_info", role=role, revision=revision) == 1
    assert value(registry, "taskservice_status_replicas", state="desired") == 3
    assert value(registry, "taskservice_status_replicas", state="ready") == 2
    assert value(registry, "taskservice_rollout_started_timestamp_seconds") == 1767268800


def test_without_a_release_there_is_no_start() -> None:
    assert value(a_registry({**STATUS, "rollout": None}), "taskservice_rollout_started_timestamp_seconds") is None


def test_one_that_nobody_has_looked_at_yet_is_no_trouble() -> None:
    registry = a_registry(None)
    assert value(registry, "taskservice_status_replicas", state="desired") == 0
    assert value(registry, "taskservice_status_phase", phase="Stable") is None
