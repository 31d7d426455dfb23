"""Lists in Redis, each stored with the version of its reader's tasks that it was read under.

    read    MGET epoch, version(user), entry     at one moment; an entry of another version is a miss. `seek` asks, so
                                                 that whatever else the request asks of Redis goes along
    fill    SET entry = version + page           after reading the database, with the version seen before
    write   SET version(user) = random           of all users whose lists it is in, before it is acknowledged

Versions are random, so that one lost by eviction or restart can never come back and match an old entry. A
reader that filled an entry while a write went on stored it under the version of before: nobody reads it.

Of many readers who miss the same page at once, one reads the database: within a process they share its answer
(`flights`), between processes it holds a key in Redis while it fills, and others wait a moment for the entry.

When a bump cannot be sent, entries that others can still see are wrong. Then this process reads nothing from
the cache until it has replaced the epoch, which is part of every version, and keeps trying in the background.
What remains: while one pod is cut off from Redis and another is not, the other may answer a list that is
older than a write through the first, by at most the TTL.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from taskservice.kit.flights import Flights
from taskservice.kit.metrics import Metrics
from taskservice.kit.redis import Away, BestEffortRedis

NAME = "task_list"
EPOCH = "tasks:epoch"
VERSION_SECONDS = 24 * 3600
FLUSH_PAUSE_SECONDS = 0.5
FILL_MILLISECONDS = 2000
"""How long one process may be alone in filling an entry; then the next one tries."""
WAIT_SECONDS, WAIT_PAUSE_SECONDS = 0.25, 0.02
"""How long a process waits for the entry that another one fills, and between two looks."""
TAG_BYTES = 12

Read = Callable[[], Awaitable[bytes]]
Sought = Awaitable[list[bytes | None]]
"""An answer of Redis that is on its way: epoch, version and entry."""


class ListCache(Protocol):
    """Pages of lists, by reader and query. Nothing here raises when the cache is away."""

    def seek(self, user: str, query: str) -> Sought | None:
        """Begins to look a page up, for `through` of the same request. None when there is nothing to wait for."""
        ...

    async def through(self, user: str, query: str, read: Read, sought: Sought | None = None) -> bytes:
        """The page if it is known and certain, else what `read` answers. Raises what `read` raises."""
        ...

    async def bump(self, users: Iterable[str]) -> None:
        """Makes every page of these users a miss. Call after each write, whether or not it succeeded."""
        ...


class NullListCache:
    """Never knows anything."""

    def seek(self, user: str, query: str) -> None:
        return None

    async def through(self, user: str, query: str, read: Read, sought: Sought | None = None) -> bytes:
        return await read()

    async def bump(self, users: Iterable[str]) -> None:
        return None


@dataclass(frozen=True)
class Lookup:
    """`page` on a hit. On a miss, `tag` is what to fill with; without a tag there is nothing to fill."""

    page: bytes | None = None
    tag: bytes | None = None


class RedisListCache:
    """ListCache on Redis. `close` when done."""

    def __init__(self, redis: BestEffortRedis, metrics: Metrics, ttl_seconds: int) -> None:
        self._redis = redis
        self._metrics = metrics
        self._ttl = ttl_seconds
        self._flights: Flights[bytes] = Flights()
        self._unsent = 0  # bumps that failed since the epoch was last replaced
        self._flushing: asyncio.Task[None] | None = None

    def seek(self, user: str, query: str) -> Sought | None:
        return None if self._unsent else self._redis.values(EPOCH, _version_key(user), _entry_key(user, query))

    async def through(self, user: str, query: str, read: Read, sought: Sought | None = None) -> bytes:
        found = await self._look_up(user, query, sought)
        if found.page is not None:
            self._metrics.count_cache(NAME, "hit")
            return found.page
        tag = found.tag
        if tag is None:
            self._metrics.count_cache(NAME, "away")
            return await read()
        # The tag is part of what is shared: who has seen a later write never joins a read from before it.
        return await self._flights.join((user, query, tag), lambda: self._fill(user, query, tag, read), self._joined)

    def _joined(self) -> None:
        self._metrics.count_cache(NAME, "shared")

    async def _fill(self, user: str, query: str, tag: bytes, read: Read) -> bytes:
        lock = f"tasks:filling:{user}:{query}:{tag.hex()}"
        try:
            alone = await self._redis.call(lambda redis: _lock(redis, lock))
        except Away:
            self._metrics.count_cache(NAME, "away")
            return await read()
        if not alone and (page := await self._wait(user, query)) is not None:
            self._metrics.count_cache(NAME, "shared")
            return page
        self._metrics.count_cache(NAME, "miss")
        page = await read()
        key, seconds = _entry_key(user, query), self._jittered()
        try:
            await self._redis.call(lambda redis: _store(redis, key, tag + page, seconds, lock))
        except Away:
            return page
        self._metrics.count_cache_fill(NAME)
        return page

    async def _wait(self, user: str, query: str) -> bytes | None:
        """The entry that somebody else is filling, if it comes soon."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(WAIT_PAUSE_SECONDS)
            found = await self._look_up(user, query)
            if found.page is not None or found.tag is None:
                return found.page
        return None

    async def _look_up(self, user: str, query: str, sought: Sought | None = None) -> Lookup:
        sought = sought or self.seek(user, query)
        if sought is None:
            return Lookup()
        try:
            epoch, version, entry = await sought
            if epoch is None or version is None:
                return Lookup(tag=await self._begin(user))
        except Away:
            return Lookup()
        tag = epoch + version
        if entry is not None and entry.startswith(tag):
            return Lookup(page=entry[len(tag) :])
        return Lookup(tag=tag)

    async def _begin(self, user: str) -> bytes | None:
        """Gives a user (or the whole cache) a first version, unless somebody else just did."""

        async def begin(redis: Redis) -> list[Any]:
            pipe = redis.pipeline(transaction=False)
            pipe.set(EPOCH, _tag(), nx=True)
            pipe.set(_version_key(user), _tag(), nx=True, ex=VERSION_SECONDS)
            pipe.mget([EPOCH, _version_key(user)])
            return await pipe.execute()

        epoch, version = (await self._redis.call(begin))[-1]
        return epoch + version if epoch and version else None

    async def bump(self, users: Iterable[str]) -> None:
        keys = [_version_key(user) for user in users]
        try:
            await self._redis.call(lambda redis: _set_all(redis, keys))
        except Away:
            self._unsent += 1
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())

    async def close(self) -> None:
        await self._flights.close()
        if self._flushing:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)

    async def _flush(self) -> None:
        """Replaces the epoch, which forgets every entry of every user, as soon as Redis is back."""
        while self._unsent:
            covered = self._unsent
            try:
                await self._redis.call(_new_epoch)
            except Away:
                await asyncio.sleep(FLUSH_PAUSE_SECONDS)
            else:
                self._unsent -= covered
        self._flushing = None

    def _jittered(self) -> int:
        """The TTL in milliseconds, shortened by up to a fifth: what was filled together does not end together."""
        longest = self._ttl * 1000
        return longest - secrets.randbelow(longest // 5 + 1)


async def _lock(redis: Redis, key: str) -> bool:
    return bool(await redis.set(key, b"1", nx=True, px=FILL_MILLISECONDS))


async def _store(redis: Redis, key: str, value: bytes, milliseconds: int, lock: str) -> None:
    pipe = redis.pipeline(transaction=False)
    pipe.set(key, value, px=milliseconds)
    pipe.delete(lock)
    await pipe.execute()


async def _set_all(redis: Redis, keys: list[str]) -> None:
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.set(key, _tag(), ex=VERSION_SECONDS)
    await pipe.execute()


async def _new_epoch(redis: Redis) -> None:
    await redis.set(EPOCH, _tag())


def _tag() -> bytes:
    return secrets.token_bytes(TAG_BYTES)


def _version_key(user: str) -> str:
    return f"tasks:version:{user}"


def _entry_key(user: str, query: str) -> str:
    return f"tasks:list:{user}:{query}"
