"""The only door to Redis, for data that may be lost: every call either works soon or says `Away`.

After a failure, calls are refused at once until the retry time has passed, so that a dead Redis costs one
timeout per second and not one per request.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskservice.kit.logging import event
from taskservice.kit.settings import Settings, SettingsError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Away(Exception):
    """Redis did not answer, or is left alone because it did not answer a moment ago."""


class BestEffortRedis:
    """A Redis client with short timeouts and a breaker."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        retry_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            self._client = Redis.from_url(
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 1),  # one: a pooled connection may be stale after a restart
                protocol=3,
            )
        except ValueError:
            raise SettingsError(
                "TASKSERVICE_REDIS_URL is not a usable Redis address; it looks like redis://host:6379/0."
            ) from None
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._closed_until = 0.0
        self._away = False

    @property
    def connections(self) -> ConnectionPool:
        """For a library that brings a client of its own; let it run within `call`."""
        return self._client.connection_pool

    async def call(self, operation: Callable[[Redis], Awaitable[T]]) -> T:
        """Runs one operation. Raises Away."""
        if self._clock() < self._closed_until:
            raise Away
        try:
            result = await operation(self._client)
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

    async def close(self) -> None:
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
