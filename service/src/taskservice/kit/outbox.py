"""Events that are to be published, stored with the change they tell of: both happen, or neither.

A writer appends in the transaction of its change; the relay of the worker publishes what is pending and marks it.
Published rows stay for a day, so that what a broker lost can be found, and are then removed by the database.
The shard key is `subject` (hashed): the rows of one subject are together, and `_id` contains it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from taskservice.kit.events import Event, encode
from taskservice.kit.mongo import ASCENDING, HASHED, Collection, Document, Index, Session, ShardKeys

OUTBOX = "outbox"
PENDING_OLDEST = "pending_oldest"
RETENTION_SECONDS = 24 * 3600
_PENDING = {"pending": True}
INDEXES = {
    OUTBOX: (
        Index(PENDING_OLDEST, (("appendedAt", ASCENDING),), partial=_PENDING),
        Index("pending_subject", (("subject", ASCENDING), ("sequence", ASCENDING)), partial=_PENDING),
        Index("published_expiry", (("publishedAt", ASCENDING),), expire_after_seconds=RETENTION_SECONDS),
    )
}

SHARD_KEYS: ShardKeys = {OUTBOX: (("subject", HASHED),)}


class Outbox(Protocol):
    """Where a writer leaves its events."""

    async def append(self, session: Session, events: Sequence[Event]) -> None:
        """Stores the events in the caller's transaction. Raises InvalidEvent for one that cannot be sent."""
        ...


class MongoOutbox:
    """Outbox on MongoDB; use it inside `Mongo.transaction`."""

    def __init__(self, collection: Collection) -> None:
        self._rows = collection

    async def append(self, session: Session, events: Sequence[Event]) -> None:
        now = datetime.now(UTC)
        for event in events:
            await self._rows.insert_one(_row(event, now), session=session)


class MemoryOutbox:
    """Outbox in memory, for tests: keeps the events in the order of appending."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def append(self, session: object, events: Sequence[Event]) -> None:
        for event in events:
            encode(event)
        self.events += events


def _row(event: Event, now: datetime) -> Document:
    return {
        # Unique: two events of one subject never have the same sequence.
        "_id": f"{event.subject}:{event.sequence:016d}",
        "subject": event.subject,
        "sequence": event.sequence,
        "type": event.type,
        "body": encode(event).decode(),
        "appendedAt": now,
        "pending": True,
    }
