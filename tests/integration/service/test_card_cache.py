"""User cards on a real Redis: a change that auth tells is seen at once, and without Redis everything goes on."""

from collections.abc import Collection

import pytest

from taskservice.directory.cache import CachedDirectory, RedisCardCache
from taskservice.directory.cards import UserCard
from taskservice.kit.metrics import Metrics
from taskservice.kit.redis import BestEffortRedis
from testkit.redis_server import RedisServer

pytestmark = pytest.mark.anyio


class Auth:
    """Answers with the name it has now, and counts how often."""

    def __init__(self) -> None:
        self.name = "Ann"
        self.asked = 0

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        self.asked += 1
        return {id_: UserCard(id=id_, display_name=f"{self.name} 日本", email="ann@example.com") for id_ in ids}


async def test_a_card_is_kept_replaced_and_never_missed(redis_server: RedisServer) -> None:
    auth = Auth()
    redis = BestEffortRedis(redis_server.url, timeout_seconds=2, retry_seconds=0.05)
    tasks = CachedDirectory(auth, redis, Metrics("tasks", "1", "r1"), 60)
    cards = RedisCardCache(redis)

    async def names() -> set[str | None]:
        return {card.display_name for card in (await tasks.find(["ann", "bob"])).values()}

    try:
        for _ in range(3):
            assert await names() == {"Ann 日本"}
        assert auth.asked == 1
        auth.name = "Anna"
        await cards.forget("ann")
        await cards.forget("bob")
        assert await names() == {"Anna 日本"}
        assert auth.asked == 2

        redis_server.kill()
        await cards.forget("ann")
        auth.name = "Anne"
        assert await names() == {"Anne 日本"}
        assert await names() == {"Anne 日本"}
        assert auth.asked == 4
    finally:
        await tasks.close()
        await redis.close()


async def test_a_card_goes_after_its_time(redis_server: RedisServer) -> None:
    """Redis removes it; here it is enough that it was told when, and that not all go at once."""
    redis = BestEffortRedis(redis_server.url, timeout_seconds=2, retry_seconds=0.05)
    tasks = CachedDirectory(Auth(), redis, Metrics("tasks", "1", "r1"), 100)
    left: list[int] = []
    try:
        for n in range(40):
            await tasks.find([f"u{n}"])
            left.append(await redis.call(lambda client, n=n: client.pttl(f"directory:card:1:u{n}")))
    finally:
        await tasks.close()
        await redis.close()
    assert all(79_000 < milliseconds <= 100_000 for milliseconds in left)
    assert max(left) - min(left) > 2_000
