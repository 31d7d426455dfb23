"""Sessions that have ended while access tokens of theirs have not: every service asks before it believes a token.

MongoDB is the truth: an entry is there, on a majority, before whoever ended the session is told so, and goes when no
token of the session can be valid any more. `kit.denylist_mirror` answers faster, and never differently.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from taskservice.kit.jwt import LEEWAY, MAX_LIFETIME_SECONDS
from taskservice.kit.mongo import ASCENDING, HASHED, Collection, DuplicateKeyError, Index, ShardKeys, translated

DENYLIST = "denylist"
INDEXES = {
    DENYLIST: (
        Index("until_expiry", (("until", ASCENDING),), expire_after_seconds=0),
        Index("added", (("addedAt", ASCENDING),)),
    )
}
SHARD_KEYS: ShardKeys = {DENYLIST: (("_id", HASHED),)}

# Longer than any token can live, whatever lifetime is configured now or was when the token was issued.
KEPT = timedelta(seconds=MAX_LIFETIME_SECONDS) + LEEWAY + timedelta(seconds=60)


class Denylist(Protocol):
    """Which sessions have ended."""

    async def refuses(self, session_id: str) -> bool:
        """Whether tokens of the session are refused. Raises Unavailable when that cannot be known."""
        ...

    async def add(self, session_ids: Sequence[str], now: datetime) -> None:
        """Ends sessions. When it returns, every process refuses their tokens; raises Unavailable otherwise."""
        ...


@dataclass(frozen=True)
class Entry:
    """A session that has ended, and until when its tokens must be refused."""

    session_id: str
    until: datetime


class DenylistStore(Denylist, Protocol):
    """The truth, as the mirror reads it."""

    async def live(self, now: datetime, limit: int) -> list[Entry]:
        """At most so many of the entries that still matter."""
        ...

    async def added_since(self, moment: datetime) -> list[Entry]: ...


class MongoDenylist:
    """DenylistStore on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._entries = collection

    async def refuses(self, session_id: str) -> bool:
        async with translated():
            return await self._entries.find_one({"_id": session_id}) is not None

    async def add(self, session_ids: Sequence[str], now: datetime) -> None:
        await asyncio.gather(*(self._add(session_id, now) for session_id in session_ids))

    async def _add(self, session_id: str, now: datetime) -> None:
        async with translated():
            try:
                await self._entries.update_one(
                    {"_id": session_id}, {"$max": {"addedAt": now, "until": now + KEPT}}, upsert=True
                )
            except DuplicateKeyError:
                # Somebody ended the same session at this moment: wait for a majority to have that, as for ours.
                await self._entries.update_one({"_id": session_id}, {"$max": {"addedAt": now, "until": now + KEPT}})

    async def live(self, now: datetime, limit: int) -> list[Entry]:
        async with translated():
            documents = await self._entries.find({"until": {"$gt": now}}).limit(limit).to_list()
        return [Entry(document["_id"], document["until"]) for document in documents]

    async def added_since(self, moment: datetime) -> list[Entry]:
        async with translated():
            documents = await self._entries.find({"addedAt": {"$gte": moment}}).to_list()
        return [Entry(document["_id"], document["until"]) for document in documents]


class MemoryDenylist:
    """Denylist in a set, for tests and experiments."""

    def __init__(self) -> None:
        self._ended: set[str] = set()

    async def refuses(self, session_id: str) -> bool:
        return session_id in self._ended

    async def add(self, session_ids: Sequence[str], now: datetime) -> None:
        self._ended.update(session_ids)
