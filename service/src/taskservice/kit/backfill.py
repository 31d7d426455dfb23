"""Brings what was stored by an earlier version to what this one expects, while the service runs.

A backfill goes through a collection by id, some documents at a time, and repairs what lacks something. Where it is, is
stored after every batch: a run that was cut off goes on from there. A repair is idempotent, so that the batch at
hand may be done twice.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from taskservice.kit.mongo import ASCENDING, Document, Mongo, translated

MIGRATIONS = "migrations"
BATCH = 500
SAY_SECONDS = 2.0

Repair = Callable[[Mongo, list[Document]], Awaitable[int]]
"""Repairs those of some documents that need it, and returns how many did."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Backfill:
    """One thing to be repaired; its name is that of its place in the database, and stays."""

    name: str
    collection: str
    repair: Repair


async def run(database: Mongo, backfill: Backfill, say: Say, *, again: bool = False, batch: int = BATCH) -> int:
    """Repairs what was not looked at before, or `again` everything; returns how much that was. Raises Unavailable."""
    places, documents = database.collection(MIGRATIONS), database.collection(backfill.collection)
    place = {"_id": backfill.name}
    async with translated():
        before = None if again else await places.find_one(place)
    after: str = before["after"] if before else ""
    looked = repaired = 0
    said = time.monotonic()

    def told() -> str:
        return f"{backfill.name}: {looked} of {backfill.collection} looked at, {repaired} repaired"

    while True:
        async with translated():
            found = documents.find({"_id": {"$gt": after}}).sort("_id", ASCENDING).limit(batch)
            rows = await found.to_list(batch)
        if not rows:
            say(told())
            return repaired
        repaired += await backfill.repair(database, rows)
        looked += len(rows)
        after = rows[-1]["_id"]
        async with translated():
            await places.update_one(place, {"$set": {"after": after, "at": datetime.now(UTC)}}, upsert=True)
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            say(told())
