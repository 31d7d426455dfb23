"""One execution for all who ask for the same thing at the same time, within a process."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """What is being done, by key. It goes on when one of those who wait for it leaves."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, key: Hashable, work: Callable[[], Awaitable[T]], joined: Callable[[], None]) -> T:
        """What the work answers or raises: begun now, or `joined` because somebody else has begun it."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(_run(work))
            self._running[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        else:
            joined()
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stops everything that is still being done."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: Hashable, done: asyncio.Task[T]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also when all who waited have left


async def _run(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
