"""What the worker does with the activity: it counts the events of each task, and adds an entry for each.

An entry's id is that of its event. That makes the activity the record of what was handled, too: an entry and
everything else that its event does are stored in one transaction, and a second delivery finds the entry.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from taskservice.activity.entries import Entry
from taskservice.activity.repository import RETENTION_SECONDS, MongoActivity
from taskservice.kit.mongo import (
    ASCENDING,
    HASHED,
    Collection,
    DuplicateKeyError,
    Index,
    ReturnDocument,
    Session,
    ShardKeys,
)

PROGRESS = "activity_progress"
INDEXES = {PROGRESS: (Index("expiry", (("storedAt", ASCENDING),), expire_after_seconds=RETENTION_SECONDS),)}
SHARD_KEYS: ShardKeys = {PROGRESS: (("_id", HASHED),)}


class AlreadyHandled(Exception):
    """There is such an entry: the event was delivered before."""


@dataclass(frozen=True)
class Place:
    """Where an event stands among those of its task that were handled before."""

    order: int
    last: int  # the highest sequence before this one; 0 when there was none


class Feed:
    """The activity and its progress on MongoDB."""

    def __init__(self, activity: MongoActivity, progress: Collection) -> None:
        self._activity = activity
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

    async def last(self, subject: str, session: Session) -> int:
        """The highest sequence that was handled; 0 when there was none."""
        found = await self._progress.find_one({"_id": subject}, session=session)
        return found["sequence"] if found else 0

    async def add(self, entry: Entry, session: Session) -> None:
        """Raises AlreadyHandled, and then nothing of the transaction happens."""
        try:
            await self._activity.add(entry, session)
        except DuplicateKeyError:
            raise AlreadyHandled from None
