"""The definition itself, its status and its scale, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client

from taskservice_operator.api import names
from taskservice_operator.api.status import (
    Failure,
    Floor,
    Phase,
    Retiring,
    Rollout,
    Size,
    Status,
    render_status,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONDITION = {
    "type": "Ready",
    "status": "False",
    "reason": "RolloutFailed",
    "message": "The candidate crashed.",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
    "observedGeneration": 1,
}


@pytest.fixture
def tasks(taskservices) -> Iterator[str]:
    taskservices.create({"image": "example/tasks:1"}, "scaled")
    yield "scaled"
    taskservices.delete("scaled")


def test_the_definition_is_established_and_within_the_rules(definition: dict[str, Any]) -> None:
    conditions = {entry["type"]: entry for entry in definition["status"]["conditions"]}
    assert conditions["Established"]["status"] == conditions["NamesAccepted"]["status"] == "True"
    assert "NonStructuralSchema" not in conditions


def test_kubectl_scale_changes_the_replicas_of_the_spec(taskservices, tasks: str) -> None:
    assert taskservices.scale(tasks)["spec"]["replicas"] == 2
    taskservices.scale(tasks, replicas=4)
    assert taskservices.get(tasks)["spec"]["replicas"] == 4


def test_scale_reports_the_live_side_with_its_selector(taskservices, tasks: str) -> None:
    taskservices.write_status(tasks, {"replicas": 3, "selector": "taskservice.dev/name=scaled"})
    assert taskservices.scale(tasks)["status"] == {"replicas": 3, "selector": "taskservice.dev/name=scaled"}


def test_a_status_comes_back_exactly_as_it_was_written(taskservices, tasks: str) -> None:
    written = render_status(
        Status(
            phase=Phase.FAILED,
            stable="aaaaaaaaaa",
            active="aaaaaaaaaa",
            failure=Failure("bbbbbbbbbb", "Crashed", "It crashed.", AT),
            rollout=Rollout(AT, fast=True),
            retiring=(Retiring("bbbbbbbbbb", AT, 2),),
            size=Size(2, 2),
            floor=Floor("aaaaaaaaaa", 2),
            handled_verbs={"promote": "aaaaaaaaaa@1"},
            conditions=(CONDITION,),
        )
    ) | {
        "observedGeneration": 1,
        "step": "The candidate crashed.",
        "blockedOn": {"kind": "ConfigMap", "name": "a", "reason": "NotFound", "message": "Create it."},
        "replicas": 2,
        "readyReplicas": 1,
        "selector": "a=b",
        "colour": "blue",
        "url": "http://scaled.default.svc:8000",
    }
    assert taskservices.write_status(tasks, written)["status"] == written


def test_a_status_write_leaves_the_generation_alone(taskservices, tasks: str) -> None:
    before = taskservices.get(tasks)["metadata"]["generation"]
    taskservices.write_status(tasks, {"phase": "Stable"})
    assert taskservices.get(tasks)["metadata"]["generation"] == before


def test_a_phase_that_does_not_exist_cannot_be_recorded(taskservices, refusal, tasks: str) -> None:
    with pytest.raises(refusal, match=r"status\.phase"):
        taskservices.write_status(tasks, {"phase": "Dreaming"})


def test_services_can_be_found_by_phase(taskservices, tasks: str) -> None:
    taskservices.write_status(tasks, {"phase": "Failed"})
    api = client.CustomObjectsApi(taskservices.connection)
    where = (names.GROUP, names.VERSION, "default", names.PLURAL)
    failed = api.list_namespaced_custom_object(*where, field_selector="status.phase=Failed")["items"]
    stable = api.list_namespaced_custom_object(*where, field_selector="status.phase=Stable")["items"]
    assert [item["metadata"]["name"] for item in failed] == [tasks]
    assert stable == []
