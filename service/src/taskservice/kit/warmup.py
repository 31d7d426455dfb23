"""Things that must have worked once before traffic comes, tried until they do, without blocking the start.

A service whose database is not there yet starts, says so on /readyz, and becomes ready by itself: restarting
it would not bring the database back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from taskservice.kit.health import Health
from taskservice.kit.logging import event

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[object]]


@asynccontextmanager
async def warming(health: Health, steps: Mapping[str, Step]) -> AsyncIterator[None]:
    """Runs each named step in the background until it passes; cancels what is left on exit."""
    for name in steps:
        health.expect(name)
    tasks = [asyncio.create_task(_until_passed(health, name, step)) for name, step in steps.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_passed(health: Health, name: str, step: Step) -> None:
    pause = 0.1
    while True:
        try:
            await step()
        except Exception as error:
            # Whatever it is: the class goes to /readyz and the log, and it is tried again.
            health.failed(name, type(error).__name__)
            event(log, "warmup_failed", logging.WARNING, step=name, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3.0)
        else:
            health.passed(name)
            event(log, "warmup_passed", step=name)
            return
