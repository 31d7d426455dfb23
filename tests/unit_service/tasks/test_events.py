"""What is told about a task: who, what, in which order, and only members that a feed can show."""

from dataclasses import replace
from datetime import UTC, datetime

from taskservice.kit import trace_context
from taskservice.kit.events import Event, decode, encode
from taskservice.tasks import events
from taskservice.tasks.model import Comment, Task

NOW = datetime(2026, 11, 23, 12, 0, 0, 5000, tzinfo=UTC)
TASK = Task(id="t1", title="buy milk", created_by="ann", created_at=NOW, updated_at=NOW)


def told(event: Event) -> tuple[str, int, str]:
    assert decode(encode(event)) == event
    assert (event.subject, event.owner) == ("t1", "ann")
    return event.type, event.sequence, event.actor


def test_a_new_task_is_told_once_and_its_assignment_after_it() -> None:
    task, (event,) = events.created(TASK, "ann")
    assert told(event) == ("task.created", 1, "ann")
    assert task.sequence == 1
    assert event.data["task"] == {
        "title": "buy milk",
        "status": "todo",
        "priority": "normal",
        "labels": [],
        "due_at": None,
        "assignee": None,
    }
    task, (first, second) = events.created(replace(TASK, assignee="bob"), "ann")
    assert (told(first), told(second)) == (("task.created", 1, "ann"), ("task.assigned", 2, "ann"))
    assert second.data["previous"] is None
    assert task.sequence == 2


def test_an_update_names_what_changed() -> None:
    before = replace(TASK, sequence=4)
    after = replace(before, title="buy bread", labels=("home",), due_at=NOW, version=2)
    task, (event,) = events.updated(before, after, "bob")
    assert told(event) == ("task.updated", 5, "bob")
    assert event.data["changed"] == ["title", "labels", "due_at"]
    assert event.data["task"]["due_at"] == "2026-11-23T12:00:00.005+00:00"
    assert task == after
    assert task.sequence == 5


def test_an_assignment_names_both() -> None:
    before = replace(TASK, assignee="bob")
    _, (event,) = events.assigned(before, replace(before, assignee=None), "bob")
    assert told(event) == ("task.assigned", 1, "bob")
    assert (event.data["previous"], event.data["task"]["assignee"]) == ("bob", None)


def test_a_comment_is_told_in_one_short_line() -> None:
    comment = Comment(id="c1", task="t1", author="bob", text="one\n  two " + "x" * 4000, created_at=NOW)
    _, (event,) = events.commented(TASK, comment, "bob")
    assert told(event) == ("task.commented", 1, "bob")
    assert event.data["comment_id"] == "c1"
    assert event.data["excerpt"].startswith("one two xxx")
    assert len(event.data["excerpt"]) == events.EXCERPT


def test_a_deletion_is_told() -> None:
    _, (event,) = events.deleted(TASK, "eve", NOW)
    assert told(event) == ("task.deleted", 1, "eve")


def test_an_event_names_the_trace_of_the_request_that_caused_it_if_there_is_one() -> None:
    _, (untraced,) = events.created(TASK, "ann")
    assert untraced.traceparent is None
    header = f"00-{'a' * 32}-{'b' * 16}-01"
    with trace_context.following(header):
        _, (event,) = events.created(TASK, "ann")
    assert told(event) == ("task.created", 1, "ann")
    assert event.traceparent == header


def test_the_largest_task_makes_an_event_that_can_be_sent() -> None:
    task = replace(TASK, title="\U0001f680" * 200, labels=("\U0001f680" * 40,) * 10, description="x" * 4000)
    _, told_events = events.created(replace(task, assignee="b" * 64), "a" * 64)
    assert all(len(encode(event)) < 16_384 for event in told_events)
