"""After a failure Redis is left alone for a while, then tried again; reads share round trips."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

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


class Wire(BestEffortRedis):
    """Round trips that the test answers: each is what it carries, and whether it fails."""

    def __init__(self) -> None:
        super().__init__("redis://unused", timeout_seconds=1, retry_seconds=2)
        self.round_trips: list[list[Any]] = []
        self.open = asyncio.Event()
        self.failure: Exception | None = None

    async def call(self, operation: Callable[[Any], Awaitable[Any]]) -> Any:
        wire = self

        class Pipe:
            def __init__(self) -> None:
                self.commands: list[Any] = []

            def execute_command(self, *command: Any) -> None:
                self.commands.append(command)

            async def execute(self) -> list[Any]:
                wire.round_trips.append(self.commands)
                await wire.open.wait()
                if wire.failure is not None:
                    raise wire.failure
                return [command[-1] for command in self.commands]

        class Client:
            def pipeline(self, transaction: bool) -> Pipe:
                return Pipe()

        return await operation(Client())


async def asking(redis: Wire, *keys: str) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(redis.read("GET", key)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_reads_of_one_moment_go_in_one_round_trip_and_later_ones_in_the_next() -> None:
    redis = Wire()
    first = await asking(redis, "a", "b")
    then = await asking(redis, "c", "d", "e")
    assert redis.round_trips == [[("GET", "a"), ("GET", "b")]]
    redis.open.set()
    assert await asyncio.gather(*first, *then) == ["a", "b", "c", "d", "e"]
    assert [len(commands) for commands in redis.round_trips] == [2, 3]
    assert await redis.read("GET", "f") == "f"
    await redis.close()


async def test_a_round_trip_that_fails_fails_all_who_share_it_and_nobody_else() -> None:
    redis = Wire()
    redis.failure = Away()
    first = await asking(redis, "a", "b")
    redis.open.set()
    for answer in await asyncio.gather(*first, return_exceptions=True):
        assert isinstance(answer, Away)
    redis.failure = None
    assert await redis.read("GET", "c") == "c"
    await redis.close()


async def test_who_leaves_takes_nobody_along() -> None:
    redis = Wire()
    first, second = await asking(redis, "a", "b")
    first.cancel()
    redis.open.set()
    assert await second == "b"
    assert first.cancelled()
    await redis.close()
