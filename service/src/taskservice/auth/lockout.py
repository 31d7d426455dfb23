"""Failed logins are counted per address, and after a few each one doubles the time until the next attempt.

An address that no account has is counted like any other, so that the answers tell nothing. Counted in MongoDB:
whoever can make Redis forget must not get fresh attempts. Addresses are stored as hashes.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from taskservice.auth.errors import TooManyFailures
from taskservice.kit.mongo import (
    ASCENDING,
    HASHED,
    Collection,
    DuplicateKeyError,
    Index,
    ReturnDocument,
    ShardKeys,
    translated,
)

FAILURES = "loginFailures"
INDEXES = {FAILURES: (Index("goes_at", (("goesAt", ASCENDING),), expire_after_seconds=0),)}
SHARD_KEYS: ShardKeys = {FAILURES: (("_id", HASHED),)}

FORGOTTEN = timedelta(hours=24)


@dataclass(frozen=True)
class Failures:
    """How often in a row, and when last."""

    count: int
    last: datetime


class FailureRepository(Protocol):
    """Where failures are counted. Every method raises Unavailable when the store does not answer."""

    async def get(self, key: str) -> Failures | None: ...
    async def count(self, key: str, now: datetime) -> Failures: ...
    async def forget(self, key: str) -> None: ...


@dataclass(frozen=True)
class Lockout:
    """The first `free` failures cost nothing; then `base`, twice `base`, … up to `cap`."""

    failures: FailureRepository
    free: int
    base: timedelta
    cap: timedelta
    now: Callable[[], datetime]

    async def check(self, email: str) -> None:
        """Raises TooManyFailures while the address has to wait, whatever password it would come with."""
        failures = await self.failures.get(_key(email))
        if failures is not None:
            left = failures.last + self.delay(failures.count) - self.now()
            if left > timedelta(0):
                raise TooManyFailures(left)

    async def failed(self, email: str) -> None:
        await self.failures.count(_key(email), self.now())

    async def succeeded(self, email: str) -> None:
        key = _key(email)
        if await self.failures.get(key) is not None:
            await self.failures.forget(key)

    def delay(self, count: int) -> timedelta:
        """How long after the last of so many failures the next attempt is let through."""
        over = count - self.free
        if over <= 0:
            return timedelta(0)
        return min(self.cap, self.base * 2 ** min(over - 1, 32))


class MongoFailures:
    """FailureRepository on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._failures = collection

    async def get(self, key: str) -> Failures | None:
        async with translated():
            document = await self._failures.find_one({"_id": key})
        return Failures(document["count"], document["last"]) if document else None

    async def count(self, key: str, now: datetime) -> Failures:
        changes = {"$inc": {"count": 1}, "$max": {"last": now, "goesAt": now + FORGOTTEN}}
        async with translated():
            while True:
                try:
                    document = await self._failures.find_one_and_update(
                        {"_id": key}, changes, upsert=True, return_document=ReturnDocument.AFTER
                    )
                except DuplicateKeyError:
                    continue  # the first failure of somebody else, at this moment: it is there now
                if document is not None:
                    return Failures(document["count"], document["last"])

    async def forget(self, key: str) -> None:
        async with translated():
            await self._failures.delete_one({"_id": key})


class MemoryFailures:
    """FailureRepository in a dictionary, for tests and experiments."""

    def __init__(self) -> None:
        self._by_key: dict[str, Failures] = {}

    async def get(self, key: str) -> Failures | None:
        return self._by_key.get(key)

    async def count(self, key: str, now: datetime) -> Failures:
        before = self._by_key.get(key, Failures(0, now))
        self._by_key[key] = Failures(before.count + 1, max(before.last, now))
        return self._by_key[key]

    async def forget(self, key: str) -> None:
        self._by_key.pop(key, None)


def _key(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
