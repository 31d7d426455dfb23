"""Lists in Redis, each stored with the version of its owner's tasks that it was read under.

    read    MGET epoch, version(owner), entry    one round trip; an entry of another version is a miss
    fill    SET entry = version + page           after reading the database, with the version seen before
    write   SET version(owner) = random          after every write, before it is acknowledged

Versions are random, so that one lost by eviction or restart can never come back and match an old entry. A
reader that filled an entry while a write went on stored it under the version of before: nobody reads it.

When a bump cannot be sent, entries that others can still see are wrong. Then this process reads nothing from
the cache until it has replaced the epoch, which is part of every version, and keeps trying in the background.
What remains: while one pod is cut off from Redis and another is not, the other may answer a list that is
older than a write through the first, by at most the TTL.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from taskservice.kit.metrics import Metrics
from taskservice.kit.redis import Away, BestEffortRedis

EPOCH = "tasks:epoch"
VERSION_SECONDS = 24 * 3600
FLUSH_PAUSE_SECONDS = 0.5
TAG_BYTES = 12


@dataclass(frozen=True)
class Lookup:
    """`page` on a hit. On a miss, `tag` is what to fill with; without a tag there is nothing to fill."""

    page: bytes | None = None
    tag: bytes | None = None


class ListCache(Protocol):
    """Pages of lists, by owner and query. Nothing here raises when the cache is away."""

    async def look_up(self, owner: str, query: str) -> Lookup: ...
    async def fill(self, owner: str, query: str, tag: bytes, page: bytes) -> None: ...
    async def bump(self, owner: str) -> None:
        """Makes every page of this owner a miss. Call after each write, whether or not it succeeded."""
        ...


class NullListCache:
    """Never knows anything."""

    async def look_up(self, owner: str, query: str) -> Lookup:
        return Lookup()

    async def fill(self, owner: str, query: str, tag: bytes, page: bytes) -> None:
        return None

    async def bump(self, owner: str) -> None:
        return None


class RedisListCache:
    """ListCache on Redis. `close` when done."""

    def __init__(self, redis: BestEffortRedis, metrics: Metrics, ttl_seconds: int) -> None:
        self._redis = redis
        self._metrics = metrics
        self._ttl = ttl_seconds
        self._unsent = 0  # bumps that failed since the epoch was last replaced
        self._flushing: asyncio.Task[None] | None = None

    async def look_up(self, owner: str, query: str) -> Lookup:
        try:
            found = await self._look_up(owner, query)
        except Away:
            found = Lookup()
        result = "hit" if found.page is not None else "miss" if found.tag else "bypass"
        self._metrics.count_cache("task_list", result)
        return found

    async def _look_up(self, owner: str, query: str) -> Lookup:
        if self._unsent:
            return Lookup()
        keys = [EPOCH, _version_key(owner), _entry_key(owner, query)]
        epoch, version, entry = await self._redis.call(lambda redis: _mget(redis, keys))
        if epoch is None or version is None:
            return Lookup(tag=await self._begin(owner))
        tag = epoch + version
        if entry is not None and entry.startswith(tag):
            return Lookup(page=entry[len(tag) :])
        return Lookup(tag=tag)

    async def _begin(self, owner: str) -> bytes | None:
        """Gives an owner (or the whole cache) a first version, unless somebody else just did."""

        async def begin(redis: Redis) -> list[Any]:
            pipe = redis.pipeline(transaction=False)
            pipe.set(EPOCH, _tag(), nx=True)
            pipe.set(_version_key(owner), _tag(), nx=True, ex=VERSION_SECONDS)
            pipe.mget([EPOCH, _version_key(owner)])
            return await pipe.execute()

        epoch, version = (await self._redis.call(begin))[-1]
        return epoch + version if epoch and version else None

    async def fill(self, owner: str, query: str, tag: bytes, page: bytes) -> None:
        try:
            key = _entry_key(owner, query)
            await self._redis.call(lambda redis: _set(redis, key, tag + page, self._ttl))
        except Away:
            pass

    async def bump(self, owner: str) -> None:
        try:
            await self._redis.call(lambda redis: _set(redis, _version_key(owner), _tag(), VERSION_SECONDS))
        except Away:
            self._unsent += 1
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush())

    async def close(self) -> None:
        if self._flushing:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)

    async def _flush(self) -> None:
        """Replaces the epoch, which forgets every entry of every owner, as soon as Redis is back."""
        while self._unsent:
            covered = self._unsent
            try:
                await self._redis.call(lambda redis: _set(redis, EPOCH, _tag(), None))
            except Away:
                await asyncio.sleep(FLUSH_PAUSE_SECONDS)
            else:
                self._unsent -= covered
        self._flushing = None


async def _mget(redis: Redis, keys: list[str]) -> list[bytes | None]:
    return await redis.mget(keys)  # pyright: ignore[reportReturnType] - decode_responses is off


async def _set(redis: Redis, key: str, value: bytes, seconds: int | None) -> None:
    await redis.set(key, value, ex=seconds)


def _tag() -> bytes:
    return secrets.token_bytes(TAG_BYTES)


def _version_key(owner: str) -> str:
    return f"tasks:version:{owner}"


def _entry_key(owner: str, query: str) -> str:
    return f"tasks:list:{owner}:{query}"
