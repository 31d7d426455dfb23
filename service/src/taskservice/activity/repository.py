"""All queries on the activity (docs/adr/0011-activity-is-written-to-every-feed.md).

An entry is one document in the activity of its task, and one in the feed of everybody it concerns: so both are
read from one place each, and every query names the shard key of its collection.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from taskservice.activity.entries import Entry, entry_of_feed, entry_of_row, feed_rows, task_row
from taskservice.kit.mongo import (
    ASCENDING,
    DESCENDING,
    HASHED,
    Document,
    Index,
    Mongo,
    Session,
    ShardKeys,
    translated,
)

ACTIVITY, FEED = "activity", "activity_feed"
RETENTION_SECONDS = 180 * 24 * 3600  # far beyond the time after which a message could come again
_EXPIRY = Index("expiry", (("storedAt", ASCENDING),), expire_after_seconds=RETENTION_SECONDS)
INDEXES = {
    ACTIVITY: (Index("task_latest", (("task", ASCENDING), ("position", DESCENDING))), _EXPIRY),
    FEED: (Index("person_newest", (("person", ASCENDING), ("entry", DESCENDING))), _EXPIRY),
}
SHARD_KEYS: ShardKeys = {
    ACTIVITY: (("task", HASHED),),  # an id comes again only with its task, so the shard of the task finds it
    FEED: (("person", HASHED), ("entry", ASCENDING)),
}


class ActivityLog(Protocol):
    """What can be read. Every method raises Unavailable when the store does not answer."""

    async def of_task(self, task: str, limit: int, before: str | None) -> list[Entry]:
        """The latest entries of a task whose position is before this one, latest first."""
        ...

    async def of_person(self, person: str, limit: int, before: str | None) -> list[Entry]:
        """The newest entries of a person's feed whose id is before this one, newest first."""
        ...


class MongoActivity:
    """ActivityLog on MongoDB, and the way to write it."""

    def __init__(self, database: Mongo) -> None:
        self._entries = database.collection(ACTIVITY)
        self._feeds = database.collection(FEED)

    async def add(self, entry: Entry, session: Session) -> None:
        """Stores an entry and every copy of it. Raises DuplicateKeyError for one that is there already."""
        now = datetime.now(UTC)
        await self._entries.insert_one(task_row(entry, now), session=session)
        if rows := feed_rows(entry, now):
            await self._feeds.insert_many(rows, session=session)

    async def of_task(self, task: str, limit: int, before: str | None) -> list[Entry]:
        condition: Document = {"task": task}
        if before is not None:
            condition["position"] = {"$lt": before}
        async with translated():
            rows = await self._entries.find(condition).sort("position", DESCENDING).limit(limit).to_list(limit)
        return [entry_of_row(row) for row in rows]

    async def of_person(self, person: str, limit: int, before: str | None) -> list[Entry]:
        condition: Document = {"person": person}
        if before is not None:
            condition["entry"] = {"$lt": before}
        async with translated():
            rows = await self._feeds.find(condition).sort("entry", DESCENDING).limit(limit).to_list(limit)
        return [entry_of_feed(row) for row in rows]


class MemoryActivity:
    """ActivityLog in a list, for tests and experiments."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.entries = list(entries)

    async def of_task(self, task: str, limit: int, before: str | None) -> list[Entry]:
        found = [one for one in self.entries if one.task == task and (before is None or one.position < before)]
        return sorted(found, key=lambda one: one.position, reverse=True)[:limit]

    async def of_person(self, person: str, limit: int, before: str | None) -> list[Entry]:
        found = [one for one in self.entries if person in one.people and (before is None or one.id < before)]
        return sorted(found, key=lambda one: one.id, reverse=True)[:limit]
