"""After a failure Redis is left alone for a while, then tried again; reads share round trips."""

import asyncio
import gc
from collections.abc import Awaitable, Sequence
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
    """Round trips that the test answers: each is the commands it carries, and whether it fails."""

    def __init__(self) -> None:
        self.now = 100.0
        super().__init__(
            "redis://unused", timeout_seconds=1, retry_seconds=2, clock=lambda: self.now, reads=Carrier(self)
        )
        self.round_trips: list[list[Any]] = []
        self.open = asyncio.Event()
        self.failure: Exception | None = None


class Carrier:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def exchange(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        self._wire.round_trips.append(list(commands))
        await self._wire.open.wait()
        if self._wire.failure is not None:
            raise self._wire.failure
        # As Redis does: one answer for each member, which is here its name.
        return [list(command[1 if command[0] == "MGET" else 2 :]) for command in commands]

    async def close(self) -> None:
        return None


async def begin(*asked: Awaitable[Any]) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(one) for one in asked]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks  # pyright: ignore[reportReturnType] - coroutines become tasks


async def test_what_is_asked_at_one_moment_goes_in_one_round_trip_and_later_questions_in_the_next() -> None:
    redis = Wire()
    first = await begin(redis.values("a", "b"), redis.values("c"))
    then = await begin(redis.values("d"), redis.scores("s", "x", "y"), redis.values("e"), redis.scores("s", "z"))
    assert redis.round_trips == [[("MGET", "a", "b", "c")]]
    redis.open.set()
    assert await asyncio.gather(*first, *then) == [["a", "b"], ["c"], ["d"], ["x", "y"], ["e"], ["z"]]
    assert redis.round_trips[1:] == [[("MGET", "d", "e"), ("ZMSCORE", "s", "x", "y", "z")]]
    assert await redis.values("f") == ["f"]
    await redis.close()


async def test_what_several_ask_for_is_asked_once() -> None:
    redis = Wire()
    redis.open.set()
    asked = [redis.values("epoch", f"version {n}", "epoch") for n in range(3)]
    assert await asyncio.gather(*asked) == [["epoch", f"version {n}", "epoch"] for n in range(3)]
    assert redis.round_trips == [[("MGET", "epoch", "version 0", "version 1", "version 2")]]
    await redis.close()


async def test_a_round_trip_that_fails_fails_all_who_share_it_and_nobody_else() -> None:
    redis = Wire()
    redis.failure = RedisConnectionError()
    first = await begin(redis.values("a"), redis.scores("s", "b"))
    redis.open.set()
    for answer in await asyncio.gather(*first, return_exceptions=True):
        assert isinstance(answer, Away)
    redis.failure = None
    with pytest.raises(Away):
        await redis.values("b")
    assert len(redis.round_trips) == 1, "it is left alone for a while"
    redis.now += 2
    assert await redis.values("c") == ["c"]
    await redis.close()


async def test_who_leaves_takes_nobody_along() -> None:
    redis = Wire()
    first, second = await begin(redis.values("a"), redis.values("b"))
    first.cancel()
    redis.open.set()
    assert await second == ["b"]
    assert first.cancelled()
    await redis.close()


async def test_both_questions_of_one_request_go_together_and_the_first_answer_brings_the_second() -> None:
    redis = Wire()
    redis.open.set()
    listed, scored = redis.values("page"), redis.scores("denylist", "session")
    assert await scored == ["session"]
    assert listed.done()
    assert await listed == ["page"]
    assert redis.round_trips == [[("MGET", "page"), ("ZMSCORE", "denylist", "session")]]
    await redis.close()


async def test_a_failure_nobody_waits_for_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    redis = Wire()
    redis.failure = RedisConnectionError()
    redis.open.set()
    unneeded, needed = redis.values("page"), redis.scores("denylist", "session")
    with pytest.raises(Away):
        await needed
    del unneeded
    await redis.close()
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_question_while_redis_is_left_alone_is_not_sent() -> None:
    redis = Wire()
    redis.failure = RedisConnectionError()
    redis.open.set()
    for _ in range(5):
        with pytest.raises(Away):
            await redis.scores("denylist", "session")
    assert len(redis.round_trips) == 1
    await redis.close()
