"""User cards in Redis, in front of the directory: each stored with the version that it was asked for under.

    read     MGET version(user), card(user), …    one round trip for all; a card of another version is a miss
    fill     SET card = version + card            after asking auth, with the version seen before, for a bounded time
    forget   SET version(user) = random           by auth, after each change of a profile

So a card that was asked for before a change is never found after it, in whatever order the three happen. When a
change cannot be told (Redis is away for auth), the card from before it is found until its time is over, no longer.
Only cards are kept: that somebody does not exist is asked again each time, because he may have just registered.
"""

import secrets
from collections.abc import Collection, Mapping
from typing import Protocol

from pydantic import ValidationError
from redis.asyncio import Redis

from taskservice.directory.cards import UserCard
from taskservice.kit.flights import Flights
from taskservice.kit.metrics import Metrics
from taskservice.kit.redis import Away, BestEffortRedis

NAME = "profile"
FORMAT = 1
"""Grows when what is stored of a card changes."""
VERSION_SECONDS = 3600
TAG_BYTES = 12

Cards = dict[str, UserCard]


class Directory(Protocol):
    """What is asked for the cards that are not known."""

    async def find(self, ids: Collection[str]) -> Cards: ...


class CardCache(Protocol):
    """What auth tells of changes."""

    async def forget(self, user_id: str) -> None:
        """Makes every stored card of the user a miss, if the cache can be reached. Call after each change."""
        ...


class NullCardCache:
    """Where nothing is cached."""

    async def forget(self, user_id: str) -> None:
        return None


class RedisCardCache:
    """CardCache on Redis."""

    def __init__(self, redis: BestEffortRedis) -> None:
        self._redis = redis

    async def forget(self, user_id: str) -> None:
        try:
            await self._redis.call(lambda redis: _replace(redis, user_id))
        except Away:
            return


class CachedDirectory:
    """The directory behind the cache; slower without Redis, never wrong. `close` when done."""

    def __init__(self, directory: Directory, redis: BestEffortRedis, metrics: Metrics, ttl_seconds: int) -> None:
        self._directory = directory
        self._redis = redis
        self._metrics = metrics
        self._ttl = ttl_seconds
        self._flights: Flights[Cards] = Flights()

    async def find(self, ids: Collection[str]) -> Cards:
        """The cards of those that exist. Raises Unavailable."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        try:
            known, tags = await self._look_up(wanted)
        except Away:
            self._count("away", len(wanted))
            return await self._directory.find(wanted)
        self._count("hit", len(known))
        if not tags:
            return known
        # The tags are part of what is shared: who asks after a change never joins who asked before it.
        key = frozenset(tags.items())
        result = "miss"

        def joined() -> None:
            nonlocal result
            result = "shared"

        try:
            return known | await self._flights.join(key, lambda: self._fill(tags), joined)
        finally:
            self._count(result, len(tags))

    async def close(self) -> None:
        await self._flights.close()

    async def _look_up(self, wanted: list[str]) -> tuple[Cards, dict[str, bytes]]:
        """The cards that are known, and for the others what to store them with."""
        keys = [key for id_ in wanted for key in (_version_key(id_), _card_key(id_))]
        found: list[bytes | None] = await self._redis.values(*keys)
        stored = {id_: (found[2 * n], found[2 * n + 1]) for n, id_ in enumerate(wanted)}
        without = [id_ for id_, (version, _) in stored.items() if version is None]
        begun = await self._redis.call(lambda redis: _begin(redis, without)) if without else {}
        known: Cards = {}
        tags: dict[str, bytes] = {}
        for id_, (version, entry) in stored.items():
            tag = version or begun.get(id_)
            card = _card(entry, tag) if entry and tag else None
            if card is not None:
                known[id_] = card
            else:
                tags[id_] = tag or b""
        return known, tags

    async def _fill(self, tags: Mapping[str, bytes]) -> Cards:
        found = await self._directory.find(tags)
        entries = {id_: tags[id_] + card.model_dump_json().encode() for id_, card in found.items() if tags.get(id_)}
        if entries:
            try:
                await self._redis.call(lambda redis: _store(redis, entries, self._jittered()))
            except Away:
                return found
            self._metrics.count_cache_fill(NAME, len(entries))
        return found

    def _count(self, result: str, number: int) -> None:
        if number:
            self._metrics.count_cache(NAME, result, number)

    def _jittered(self) -> int:
        """The TTL in milliseconds, shortened by up to a fifth: what was filled together does not end together."""
        longest = self._ttl * 1000
        return longest - secrets.randbelow(longest // 5 + 1)


def _card(entry: bytes, tag: bytes) -> UserCard | None:
    """The card of an entry, unless it is of another version or no card."""
    if not entry.startswith(tag):
        return None
    try:
        return UserCard.model_validate_json(entry[len(tag) :])
    except ValidationError:
        return None


async def _begin(redis: Redis, ids: list[str]) -> dict[str, bytes]:
    """First versions, unless somebody else just gave them."""
    keys = [_version_key(id_) for id_ in ids]
    pipe = redis.pipeline(transaction=False)
    for key in keys:
        pipe.set(key, _tag(), nx=True, ex=VERSION_SECONDS)
    pipe.mget(keys)
    versions: list[bytes | None] = (await pipe.execute())[-1]
    return {id_: version for id_, version in zip(ids, versions, strict=True) if version}


async def _store(redis: Redis, entries: Mapping[str, bytes], milliseconds: int) -> None:
    pipe = redis.pipeline(transaction=False)
    for id_, entry in entries.items():
        pipe.set(_card_key(id_), entry, px=milliseconds)
    await pipe.execute()


async def _replace(redis: Redis, id_: str) -> None:
    await redis.set(_version_key(id_), _tag(), ex=VERSION_SECONDS)


def _tag() -> bytes:
    return secrets.token_bytes(TAG_BYTES)


def _version_key(id_: str) -> str:
    return f"directory:version:{id_}"


def _card_key(id_: str) -> str:
    return f"directory:card:{FORMAT}:{id_}"
