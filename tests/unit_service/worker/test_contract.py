"""What the worker understands of an event, what it lifts, and what it refuses with which sentence."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice.kit.bus import Rejected
from taskservice.kit.events import Event, encode
from taskservice.worker.contract import interpret

TASK = {"title": "Buy milk", "status": "todo", "due_at": "2026-12-01T10:00:00+00:00", "assignee": "bob"}


def an_event(kind: str = "task.updated", version: int = 1, data: Mapping[str, Any] | None = None) -> bytes:
    now = datetime.now(UTC)
    values = {"task": TASK} if data is None else data
    event = Event(
        type=kind, subject="t1", sequence=3, owner="ann", actor="ann", occurred_at=now, version=version, data=values
    )
    return encode(event)


def test_an_event_concerns_everybody_named_in_it_once() -> None:
    told = interpret(an_event("task.assigned", data={"task": TASK, "previous": "cid"}))
    assert told is not None
    assert told.people == ["ann", "bob", "cid"]
    assert told.details == {"previous": "cid", "assignee": "bob"}


def test_members_it_does_not_know_are_ignored() -> None:
    told = interpret(an_event(data={"task": TASK | {"colour": "red"}, "changed": ["title"], "mood": "good"}))
    assert told is not None
    assert told.details == {"changed": ("title",)}


def test_a_type_it_does_not_know_is_none_of_its() -> None:
    assert interpret(an_event("invoice.paid", version=9, data={})) is None


def test_a_newer_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(Rejected, match=r"has version 2, this worker knows 1: update the worker, then replay"):
        interpret(an_event(version=2))


def test_an_older_version_is_lifted_step_by_step() -> None:
    def to_two(data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"job": {"title": data["name"]}}

    def to_three(data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"task": data["job"]}

    upcasters = {("task.updated", 1): to_two, ("task.updated", 2): to_three}
    told = interpret(an_event(data={"name": "old"}), {"task.updated": 3}, upcasters)
    assert told is not None
    assert told.task.title == "old"


def test_data_that_cannot_be_lifted_is_refused() -> None:
    with pytest.raises(Rejected, match=r"task.updated version 1 is not valid"):
        interpret(an_event(data={}), {"task.updated": 2}, {("task.updated", 1): lambda data: {"task": data["name"]}})


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({}, "task"),
        ({"task": {"title": "hunter2" * 1000}}, "task.title"),
        ({"task": {"due_at": "hunter2"}}, "task.due_at"),
        ({"task": TASK, "changed": ["hunter2"] * 51}, "changed"),
    ],
)
def test_wrong_data_is_refused_by_place_and_never_shown(data: dict[str, Any], where: str) -> None:
    with pytest.raises(Rejected) as refused:
        interpret(an_event(data=data))
    assert where in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", json.dumps({"id": 1}).encode(), b"[" * 100_000])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected):
        interpret(body)
