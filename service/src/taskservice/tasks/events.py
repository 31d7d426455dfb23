"""What others are told about a task (docs/events.md): a change of a task in, its events out.

An event names the request's trace, so that what follows from it can be found there; nothing else comes from outside.

Each function returns the events together with the task that has told them: its sequence has grown by as many.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from taskservice.kit import trace_context
from taskservice.kit.events import Event
from taskservice.tasks.model import Comment, Task

EXCERPT = 140
MEMBERS = ("title", "description", "status", "priority", "labels", "due_at")
"""Members whose change is told by `task.updated`."""

Told = tuple[Task, list[Event]]


def created(task: Task, actor: str) -> Told:
    """Also `task.assigned` when it begins with an assignee."""
    told, first = _tell(task, "task.created", actor, task.created_at)
    if told.assignee is None:
        return told, [first]
    told, second = _tell(told, "task.assigned", actor, task.created_at, previous=None)
    return told, [first, second]


def updated(before: Task, after: Task, actor: str) -> Told:
    changed = [name for name in MEMBERS if getattr(before, name) != getattr(after, name)]
    told, event = _tell(after, "task.updated", actor, after.updated_at, changed=changed)
    return told, [event]


def assigned(before: Task, after: Task, actor: str) -> Told:
    told, event = _tell(after, "task.assigned", actor, after.updated_at, previous=before.assignee)
    return told, [event]


def commented(task: Task, comment: Comment, actor: str) -> Told:
    excerpt = " ".join(comment.text.split())[:EXCERPT]
    told, event = _tell(task, "task.commented", actor, comment.created_at, comment_id=comment.id, excerpt=excerpt)
    return told, [event]


def deleted(task: Task, actor: str, at: datetime) -> Told:
    told, event = _tell(task, "task.deleted", actor, at)
    return told, [event]


def _tell(task: Task, kind: str, actor: str, at: datetime, **more: Any) -> tuple[Task, Event]:
    told = replace(task, sequence=task.sequence + 1)
    trace = trace_context.current()
    event = Event(
        type=kind,
        subject=task.id,
        sequence=told.sequence,
        owner=task.created_by,
        actor=actor,
        occurred_at=at,
        data={"task": _card(task), **more},
        traceparent=trace.header if trace else None,
    )
    return told, event


def _card(task: Task) -> Mapping[str, Any]:
    return {
        "title": task.title,
        "status": task.status,
        "priority": task.priority,
        "labels": list(task.labels),
        "due_at": task.due_at.isoformat(timespec="milliseconds") if task.due_at else None,
        "assignee": task.assignee,
    }
