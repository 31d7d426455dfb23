"""The connection for shared reads, on a real Redis that restarts, hangs and refuses: nobody gets another's answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from taskservice.kit.redis import Away, BestEffortRedis
from taskservice.kit.redis_reads import ReadConnection
from testkit.redis_server import RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as client:
        yield client


async def test_answers_come_in_the_order_of_the_commands(redis_server: RedisServer, client: Redis) -> None:
    await client.mset({"a": b"1", "b": b"\x00" * 300_000})
    await client.zadd("z", {"x": 1.5, "*": float("inf")})  # pyright: ignore[reportGeneralTypeIssues]
    reads = ReadConnection(redis_server.url, 2)
    for _ in range(3):
        answers = await reads.exchange([("MGET", "a", "none", "b"), ("ZMSCORE", "z", "*", "none", "x")])
        assert answers == [[b"1", None, b"\x00" * 300_000], [float("inf"), None, 1.5]]
    await reads.close()


async def test_a_connection_that_is_stale_after_a_restart_is_replaced_without_a_word(
    redis_server: RedisServer,
) -> None:
    reads = ReadConnection(redis_server.url, 2)
    assert await reads.exchange([("MGET", "a")]) == [[None]]
    for _ in range(3):
        redis_server.kill()
        redis_server.start()
        assert await reads.exchange([("MGET", "a")]) == [[None]]
    await reads.close()


async def test_an_answer_that_comes_too_late_is_nobody_s(redis_server: RedisServer, client: Redis) -> None:
    await client.mset({"late": b"late", "asked": b"asked"})
    reads = ReadConnection(redis_server.url, 0.3)
    await reads.exchange([("MGET", "asked")])
    redis_server.freeze()
    with pytest.raises(TimeoutError):
        await reads.exchange([("MGET", "late")])
    redis_server.thaw()
    for _ in range(5):
        assert await reads.exchange([("MGET", "asked")]) == [[b"asked"]]
    await reads.close()


async def test_whoever_gives_up_leaves_no_answer_behind(redis_server: RedisServer, client: Redis) -> None:
    await client.mset({"late": b"late", "asked": b"asked"})
    reads = ReadConnection(redis_server.url, 5)
    await reads.exchange([("MGET", "asked")])
    redis_server.freeze()
    leaving = asyncio.create_task(reads.exchange([("MGET", "late")]))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    redis_server.thaw()
    assert await reads.exchange([("MGET", "asked")]) == [[b"asked"]]
    await reads.close()


async def test_a_command_that_is_refused_spoils_no_later_one(redis_server: RedisServer, client: Redis) -> None:
    await client.set("a", b"1")
    reads = ReadConnection(redis_server.url, 2)
    with pytest.raises(RedisError):
        await reads.exchange([("ZMSCORE", "a", "x"), ("MGET", "a")])
    assert await reads.exchange([("MGET", "a")]) == [[b"1"]]
    await reads.close()


async def test_many_questions_at_once_get_each_its_own_answer_while_redis_comes_and_goes(
    redis_server: RedisServer, client: Redis
) -> None:
    await client.mset({f"key {n}": f"value {n}" for n in range(200)})
    redis = BestEffortRedis(redis_server.url, timeout_seconds=1, retry_seconds=0.05)
    answered = away = 0

    async def ask(number: int) -> None:
        nonlocal answered, away
        try:
            values, scores = redis.values(f"key {number}"), redis.scores("z", f"member {number}")
            assert await scores == [None]
            # A restart begins empty.
            assert await values in ([f"value {number}".encode()], [None])
            answered += 1
        except Away:
            away += 1

    async def restart() -> None:
        for _ in range(3):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(redis_server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(redis_server.start)

    restarting = asyncio.create_task(restart())
    while not restarting.done():
        await asyncio.gather(*(ask(number) for number in range(200)))
        await asyncio.sleep(0.01)
    await restarting
    assert answered
    assert away
    await asyncio.sleep(0.1)
    assert await redis.values("key 1") == [None]
    await redis.close()
