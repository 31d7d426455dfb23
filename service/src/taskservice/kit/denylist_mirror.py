"""The denylist in Redis, for one round trip per request: trusted only while it is known to be complete.

One sorted set holds the sessions that have ended, and a mark that says "nothing is missing here". Being one key,
they are lost together, whether by eviction, restart or expiry. The mark is a lease of a few seconds:

    ask      mark and session in one ZMSCORE      listed: refused. Not listed, mark there: accepted.
                                                  No mark, or Redis away: MongoDB answers.
    keep     each process, several times a lease: reads what was added to MongoDB lately, adds it here, and only
             then extends the lease, counted from before it read; without a mark it reads everything
    end      MongoDB first, then here. If Redis cannot be reached, whoever ends a session waits for one lease: a
             process that can reach it has read the entry by then, or has lost the lease

So an acknowledged end is seen by every process, also by one whose Redis missed it. Without Redis an end takes a
lease longer, and nothing is refused for it. What is assumed: the processes' clocks differ by less than LOOKBACK,
and Redis is one server; a replica that is promoted and lacks an entry gets it at the next `keep`.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from taskservice.kit.denylist import DENYLIST, KEPT, Denylist, DenylistStore, Entry, MongoDenylist
from taskservice.kit.logging import event
from taskservice.kit.mongo import Mongo
from taskservice.kit.redis import Away, BestEffortRedis
from taskservice.kit.settings import Settings

log = logging.getLogger(__name__)

MARK = "*complete"
LEASE_SECONDS = 6.0
MARGIN_SECONDS = 0.5
LOOKBACK = timedelta(seconds=60)
MAX_MIRRORED = 100_000
CHUNK = 1000
SHORTEST_PAUSE = 0.2

# Announces a load. Nothing to do, and nil, when somebody else completed one. An announcement that is still there at
# the end proves that the set was not lost in between. Answers Redis's clock in milliseconds.
BEGIN = """
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return nil end
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], tonumber(t[1]) + 60, ARGV[2])
redis.call('PEXPIRE', KEYS[1], 60000)
return t[1] * 1000 + math.floor(t[2] / 1000)
"""

# Marks the set as complete as of `started`, for one lease from then, if all that was added since is still there:
# ARGV[2] is the announcement, or the mark itself when a lease is extended.
COMPLETE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local expiry = tonumber(ARGV[3]) + tonumber(ARGV[4])
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) or now >= expiry then return 0 end
local marked = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[1], '+inf', ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(t[1]) - 60)
if not marked or expiry > now + redis.call('PTTL', KEYS[1]) then redis.call('PEXPIREAT', KEYS[1], expiry) end
return 1
"""


@asynccontextmanager
async def opened(database: Mongo, redis: BestEffortRedis | None, settings: Settings) -> AsyncIterator[Denylist]:
    """The denylist of a service, mirrored if there is a Redis."""
    store = MongoDenylist(database.collection(DENYLIST))
    if redis is None:
        yield store
        return
    mirrored = MirroredDenylist(store, redis, name=settings.mongo_database)
    keeping = asyncio.create_task(mirrored.keep())
    try:
        yield mirrored
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


class MirroredDenylist:
    """Denylist in front of its store. `keep` must run as long as it is used; `name` tells one store from another."""

    def __init__(
        self,
        store: DenylistStore,
        redis: BestEffortRedis,
        *,
        name: str,
        lease_seconds: float = LEASE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._redis = redis
        self._key = f"auth:denylist:{name}"
        self._lease = lease_seconds
        self._now = now
        self._wanted = asyncio.Event()

    async def refuses(self, session_id: str) -> bool:
        try:
            marked, listed = await self._redis.scores(self._key, MARK, session_id)
        except Away:
            return await self._store.refuses(session_id)
        if listed is not None:
            return True
        if marked is not None:
            return False
        self._wanted.set()
        return await self._store.refuses(session_id)

    async def add(self, session_ids: Sequence[str], now: datetime) -> None:
        await self._store.add(session_ids, now)
        scores = {session_id: (now + KEPT).timestamp() for session_id in session_ids}
        outwaited = time.monotonic() + self._lease + MARGIN_SECONDS
        while scores:
            try:
                await self._redis.call(lambda redis: _add(redis, self._key, scores))
            except Away:
                left = outwaited - time.monotonic()
                if left > 0:
                    await asyncio.sleep(min(left, 0.25))
                    continue
                event(log, "denylist_lease_outwaited", sessions=len(scores))
            return

    async def keep(self) -> None:
        """Keeps the mirror complete until cancelled."""
        while True:
            self._wanted.clear()
            try:
                await self.renew()
            except Exception as error:
                # Whatever it is: without a lease MongoDB answers, and it is tried again.
                event(log, "denylist_not_renewed", logging.DEBUG, error=type(error).__name__)
            # Spread, so that of many processes mostly one at a time finds the lease worth extending.
            await asyncio.sleep(SHORTEST_PAUSE)
            try:
                async with asyncio.timeout(self._lease * random.uniform(0.15, 0.3)):  # noqa: S311 - no secret
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Extends the lease if it is worth it, or fills the mirror. Raises Away, Unavailable."""
        (seconds, microseconds), (marked,), left = await self._redis.call(lambda redis: _state(redis, self._key))
        if marked is None:
            await self._load()
        elif left < self._lease * 600:
            await self._fill(await self._store.added_since(self._now() - LOOKBACK))
            await self._complete(MARK, seconds * 1000 + microseconds // 1000)

    async def _load(self) -> None:
        announcement = f"*load:{secrets.token_hex(8)}"
        started = await self._redis.call(lambda redis: _script(redis, BEGIN, self._key, MARK, announcement))
        if started is None:
            return
        entries = await self._store.live(self._now(), MAX_MIRRORED + 1)
        if len(entries) > MAX_MIRRORED:
            event(log, "denylist_too_long_to_mirror", logging.WARNING, limit=MAX_MIRRORED)
            return
        await self._fill(entries)
        if await self._complete(announcement, started):
            event(log, "denylist_mirrored", entries=len(entries))

    async def _fill(self, entries: Sequence[Entry]) -> None:
        for start in range(0, len(entries), CHUNK):
            scores = {entry.session_id: entry.until.timestamp() for entry in entries[start : start + CHUNK]}
            await self._redis.call(lambda redis, scores=scores: _add(redis, self._key, scores))

    async def _complete(self, proof: str, started: int) -> bool:
        arguments = (MARK, proof, started, round(self._lease * 1000))
        return bool(await self._redis.call(lambda redis: _script(redis, COMPLETE, self._key, *arguments)))


async def _add(redis: Redis, key: str, scores: dict[str, float]) -> None:
    await redis.zadd(key, scores, gt=True)  # pyright: ignore[reportGeneralTypeIssues] - of the asynchronous client


async def _state(redis: Redis, key: str) -> list[Any]:
    """Redis's clock, the mark's score and the milliseconds that the set has left."""
    pipe = redis.pipeline(transaction=False)
    pipe.time()
    pipe.zmscore(key, [MARK])
    pipe.pttl(key)
    return await pipe.execute()


async def _script(redis: Redis, script: str, key: str, *arguments: str | int) -> Any:
    return await redis.eval(script, 1, key, *arguments)  # pyright: ignore[reportGeneralTypeIssues]
