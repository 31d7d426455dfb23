"""What an entry of the activity is, and how it is written as documents. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskservice.kit.mongo import Document


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened to a task. Its id is that of the event that told of it."""

    id: str
    type: str
    task: str
    title: str
    owner: str
    actor: str | None
    at: datetime
    details: Mapping[str, Any]
    sequence: int  # of the event within its task; of the last event before it for what is none
    people: Sequence[str] = ()  # in whose feeds it is; not read back
    order: int | None = None  # the how-manieth event of its task that was handled; None for what is no event

    @property
    def position(self) -> str:
        """Where it stands in the activity of its task: by sequence, whatever clock the writers of its ids had."""
        return f"{self.sequence:016d}/{self.id}"


def task_row(entry: Entry, now: datetime) -> Document:
    """The entry in the activity of its task."""
    return {
        "_id": entry.id,
        **_shown(entry),
        "people": list(entry.people),
        "order": entry.order,
        "position": entry.position,
        "storedAt": now,
    }


def feed_rows(entry: Entry, now: datetime) -> list[Document]:
    """The entry in the feed of everybody it concerns."""
    return [
        {"_id": f"{person}/{entry.id}", "person": person, "entry": entry.id, **_shown(entry), "storedAt": now}
        for person in entry.people
    ]


def entry_of_row(row: Document) -> Entry:
    """The entry as a task's activity shows it."""
    return _entry(row, row["_id"])


def entry_of_feed(row: Document) -> Entry:
    """The entry as a feed shows it."""
    return _entry(row, row["entry"])


def _shown(entry: Entry) -> Document:
    return {
        "type": entry.type,
        "task": entry.task,
        "title": entry.title,
        "owner": entry.owner,
        "actor": entry.actor,
        "at": entry.at,
        "details": dict(entry.details),
        "sequence": entry.sequence,
    }


def _entry(row: Document, entry_id: str) -> Entry:
    return Entry(
        id=entry_id,
        type=row["type"],
        task=row["task"],
        title=row["title"],
        owner=row["owner"],
        actor=row["actor"],
        at=row["at"],
        details=row["details"],
        sequence=row["sequence"],
    )
