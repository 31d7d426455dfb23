"""After a failure Redis is left alone for a while, then tried again."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from taskservice.kit.redis import Away, BestEffortRedis
from taskservice.kit.settings import SettingsError

pytestmark = pytest.mark.anyio


async def test_the_breaker_opens_and_closes() -> None:
    now, calls, down = 100.0, 0, True
    redis = BestEffortRedis("redis://unused", timeout_seconds=1, retry_seconds=2, clock=lambda: now)

    async def operation(_: Redis) -> str:
        nonlocal calls
        calls += 1
        if down:
            raise RedisConnectionError
        return "pong"

    for _ in range(10):
        with pytest.raises(Away):
            await redis.call(operation)
    assert calls == 1
    now += 2
    down = False
    assert await redis.call(operation) == "pong"
    assert await redis.call(operation) == "pong"
    assert calls == 3
    await redis.close()


async def test_a_bug_of_ours_is_not_taken_for_an_outage() -> None:
    redis = BestEffortRedis("redis://unused", timeout_seconds=1, retry_seconds=2)

    async def operation(_: Redis) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await redis.call(operation)
    await redis.close()


async def test_a_malformed_address_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="TASKSERVICE_REDIS_URL"):
        BestEffortRedis("hunter2", timeout_seconds=1, retry_seconds=1)
