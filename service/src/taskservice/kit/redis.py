"""The only door to Redis, for data that may be lost: every call either works soon or says `Away`.

After a failure, calls are refused at once until the retry time has passed, so that a dead Redis costs one
timeout per second and not one per request.

Reads of many requests share round trips, and in one all keys are named in one command: while a round trip is under way,
what is asked waits for the next. Who has two questions asks both before awaiting either: they go together.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskservice.kit import trace_context
from taskservice.kit.logging import event
from taskservice.kit.redis_reads import ReadConnection, Reads
from taskservice.kit.settings import Settings, SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_READS = 64
"""Requests that share a round trip: a page may be large, and all are held at once."""

Verb = tuple[str, ...]
"""A command that answers with one value for each member it is given, without the members."""


class Away(Exception):
    """Redis did not answer, or is left alone because it did not answer a moment ago."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A read that waits for its answer."""

    verb: Verb
    members: tuple[str, ...]
    answer: "asyncio.Future[list[Any]]"

    def fail(self, failure: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(Away() if isinstance(failure, Away) else failure)
            self.answer.exception()  # whoever asked may have found out meanwhile that the answer is not needed


class BestEffortRedis:
    """A Redis client with short timeouts and a breaker."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        retry_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        reads: Reads | None = None,
    ) -> None:
        try:
            self._client = Redis.from_url(
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 1),  # one: a pooled connection may be stale after a restart
                protocol=3,
            )
            self._reads = reads or ReadConnection(url, timeout_seconds)
        except ValueError:
            raise SettingsError(
                "TASKSERVICE_REDIS_URL is not a usable Redis address; it looks like redis://host:6379/0."
            ) from None
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._closed_until = 0.0
        self._away = False
        self._asked: list[_Asked] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def connections(self) -> ConnectionPool:
        """For a library that brings a client of its own; let it run within `call`."""
        return self._client.connection_pool

    async def call(self, operation: Callable[[Redis], Awaitable[T]]) -> T:
        """Runs one operation. Raises Away."""
        return await self._guarded(lambda: operation(self._client))

    async def _guarded(self, operation: Callable[[], Awaitable[T]]) -> T:
        if self._clock() < self._closed_until:
            raise Away
        try:
            result = await operation()
        except (RedisError, OSError, TimeoutError) as error:
            self._closed_until = self._clock() + self._retry_seconds
            if not self._away:
                self._away = True
                event(log, "redis_away", logging.WARNING, error=type(error).__name__)
            raise Away from error
        if self._away:
            self._away = False
            event(log, "redis_back")
        return result

    def values(self, *keys: str) -> "asyncio.Future[list[bytes | None]]":
        """Asks for the values of these keys at one moment; the answer raises Away."""
        return self._ask(("MGET",), keys)

    def scores(self, key: str, *members: str) -> "asyncio.Future[list[float | None]]":
        """Asks for the scores of these members of a sorted set at one moment; the answer raises Away."""
        return self._ask(("ZMSCORE", key), members)

    def _ask(self, verb: Verb, members: tuple[str, ...]) -> "asyncio.Future[list[Any]]":
        if trace_context.recording():
            # A command of its own: in a round trip that is shared, the span would belong to somebody else's trace.
            return asyncio.ensure_future(self.call(lambda redis: _execute(redis, verb, members)))
        asked = _Asked(verb, members, asyncio.get_running_loop().create_future())
        if self._clock() < self._closed_until:
            asked.fail(Away())
            return asked.answer
        self._asked.append(asked)
        if self._reading is None:
            self._read_on()
        return asked.answer

    def _read_on(self) -> None:
        """Starts a round trip for what is asked; whatever comes until it is answered goes with the next one."""
        # In no context: it is not the work of any one request.
        self._reading = asyncio.create_task(self._answer(), context=contextvars.Context()) if self._asked else None

    async def _answer(self) -> None:
        batch, self._asked = self._asked[:MOST_READS], self._asked[MOST_READS:]
        failure: Exception = Away()
        try:
            answers = await self._guarded(lambda: _look_up_all(self._reads, batch))
            for asked, answer in zip(batch, answers, strict=True):
                if not asked.answer.done():  # else whoever asked has left
                    asked.answer.set_result(answer)
        except asyncio.CancelledError:  # the process ends: nobody else is answered either
            batch, self._asked = batch + self._asked, []
            raise
        except Exception as error:
            failure = error
        finally:
            for asked in batch:
                asked.fail(failure)
            self._read_on()

    async def close(self) -> None:
        while self._reading is not None:
            await asyncio.wait((self._reading,))
        await self._reads.close()
        closing: Any = self._client.aclose()
        await closing


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[BestEffortRedis | None]:
    """The configured Redis, closed at the end; None without one. Raises SettingsError for a malformed address."""
    if settings.redis_url is None:
        yield None
        return
    redis = BestEffortRedis(
        settings.redis_url.get_secret_value(),
        timeout_seconds=settings.redis_timeout_seconds,
        retry_seconds=settings.redis_retry_seconds,
    )
    try:
        yield redis
    finally:
        await redis.close()


async def _execute(redis: Redis, verb: Verb, members: Iterable[str]) -> list[Any]:
    answer: Any = await redis.execute_command(*verb, *members)
    return answer


async def _look_up_all(reads: Reads, batch: list[_Asked]) -> list[list[Any]]:
    """What each is answered; every verb is sent once, with all that is asked of it."""
    places: dict[Verb, dict[str, int]] = {}
    for asked in batch:
        known = places.setdefault(asked.verb, {})
        for member in asked.members:
            known.setdefault(member, len(known))
    answers = await reads.exchange([(*verb, *members) for verb, members in places.items()])
    found = dict(zip(places, answers, strict=True))
    return [[found[asked.verb][places[asked.verb][member]] for member in asked.members] for asked in batch]
