"""The activity feed: one entry per event, for the people it concerns. All of the worker's queries on it.

An entry's id is that of its event. That makes the feed the record of what was handled, too: an entry and
everything else that its event does are stored in one transaction, and a second delivery finds the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from taskservice.kit.mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    ReturnDocument,
    Session,
)

ACTIVITY = "activity"
PROGRESS = "activity_progress"
RETENTION_SECONDS = 180 * 24 * 3600  # far beyond the time after which a message could come again
INDEXES = {
    ACTIVITY: (
        Index("people_newest", (("people", ASCENDING), ("_id", DESCENDING))),
        Index("task_newest", (("task", ASCENDING), ("_id", DESCENDING))),
        Index("expiry", (("storedAt", ASCENDING),), expire_after_seconds=RETENTION_SECONDS),
    ),
    PROGRESS: (Index("expiry", (("storedAt", ASCENDING),), expire_after_seconds=RETENTION_SECONDS),),
}


class AlreadyHandled(Exception):
    """The feed has this entry: the event was delivered before."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the feed."""

    id: str
    type: str
    task: str
    title: str
    owner: str
    actor: str | None
    people: Sequence[str]
    at: datetime
    details: Mapping[str, Any]
    order: int | None = None  # the how-manieth event of its task that was handled; None for what is no event


@dataclass(frozen=True)
class Place:
    """Where an event stands among those of its task that were handled before."""

    order: int
    last: int  # the highest sequence before this one; 0 when there was none


class Feed:
    """The feed on MongoDB."""

    def __init__(self, entries: Collection, progress: Collection) -> None:
        self._entries = entries
        self._progress = progress

    async def advance(self, subject: str, sequence: int, session: Session) -> Place:
        """Counts the event. Two deliveries for one subject at the same time exclude each other here."""
        before = await self._progress.find_one_and_update(
            {"_id": subject},
            {"$max": {"sequence": sequence}, "$inc": {"handled": 1}, "$set": {"storedAt": datetime.now(UTC)}},
            upsert=True,
            return_document=ReturnDocument.BEFORE,
            session=session,
        )
        return Place(before["handled"] + 1, before["sequence"]) if before else Place(1, 0)

    async def add(self, entry: Entry, session: Session) -> None:
        """Raises AlreadyHandled, and then nothing of the transaction happens."""
        try:
            await self._entries.insert_one(_document(entry), session=session)
        except DuplicateKeyError:
            raise AlreadyHandled from None


def _document(entry: Entry) -> Document:
    return {
        "_id": entry.id,
        "type": entry.type,
        "task": entry.task,
        "title": entry.title,
        "owner": entry.owner,
        "actor": entry.actor,
        "people": list(entry.people),
        "at": entry.at,
        "details": dict(entry.details),
        "order": entry.order,
        "storedAt": datetime.now(UTC),
    }
