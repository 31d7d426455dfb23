"""Tasks and entries of their activity for tests, and the repository on a real database as the service wires it."""

from datetime import UTC, datetime
from typing import Any

from taskservice.activity.entries import Entry
from taskservice.kit.idempotency import IDEMPOTENCY, MongoAnswers
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo
from taskservice.kit.outbox import OUTBOX, MongoOutbox
from taskservice.tasks.model import Task
from taskservice.tasks.repository import MongoTasks

NOW = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)


def a_task(owner: str = "ann", **fields: Any) -> Task:
    """A task of this owner; what is not named does not matter."""
    values = {"id": new_id(), "title": "t", "created_at": NOW, "updated_at": NOW, "sequence": 1}
    return Task(created_by=owner, **values | fields)  # pyright: ignore[reportArgumentType]


def an_entry(task: str, sequence: int, *people: str, **fields: Any) -> Entry:
    """What happened to a task as the so manieth thing, for these people; what is not named does not matter."""
    values = {"id": new_id(), "type": "task.updated", "title": "t", "owner": "ann", "actor": "ann", "at": NOW}
    return Entry(task=task, sequence=sequence, people=people, **{"details": {}, **values, **fields})  # pyright: ignore[reportArgumentType]


def mongo_answers(database: Mongo) -> MongoAnswers:
    return MongoAnswers(database.collection(IDEMPOTENCY))


def mongo_tasks(database: Mongo) -> MongoTasks:
    return MongoTasks(database, MongoOutbox(database.collection(OUTBOX)), mongo_answers(database))
