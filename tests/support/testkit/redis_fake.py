"""A Redis in a dictionary, and the door to it that a test opens and closes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from taskservice.kit.redis import Away


class FakeRedis:
    """The few commands that the caches use, on a dictionary that outlives an outage."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.data = data

    async def mget(self, keys: list[str]) -> list[bytes | None]:
        return [self.data.get(key) for key in keys]

    async def set(
        self, key: str, value: bytes, *, ex: int | None = None, px: int | None = None, nx: bool = False
    ) -> bool | None:
        if nx and key in self.data:
            return None
        self.data[key] = value
        return True

    async def delete(self, key: str) -> None:
        self.data.pop(key, None)

    def pipeline(self, transaction: bool) -> "FakePipeline":
        return FakePipeline(self)


class FakePipeline:
    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis
        self._calls: list[Awaitable[Any]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **options: self._calls.append(getattr(self._redis, name)(*arguments, **options))

    async def execute(self) -> list[Any]:
        return [await call for call in self._calls]


class FakeDoor:
    """A BestEffortRedis that the test opens and closes."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.redis = FakeRedis(data)
        self.away = False

    async def call(self, operation: Callable[[Any], Awaitable[Any]]) -> Any:
        await asyncio.sleep(0)
        if self.away:
            raise Away
        return await operation(self.redis)

    async def values(self, *keys: str) -> list[bytes | None]:
        return await self.call(lambda redis: redis.mget(list(keys)))

    async def close(self) -> None:
        return None
