"""A step is tried until it passes, in the background, and left alone on exit."""

import asyncio

import pytest

from taskservice.kit.health import Health
from taskservice.kit.warmup import warming

pytestmark = pytest.mark.anyio


async def test_a_step_that_fails_first_passes_later() -> None:
    health, tries = Health(), 0

    async def step() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionRefusedError("hunter2")

    async with warming(health, {"mongo": step}):
        assert not health.ready
        while tries < 2:  # noqa: ASYNC110 - the step under test has no event
            await asyncio.sleep(0.01)
        assert health.waiting == {"mongo": "ConnectionRefusedError"}
        async with asyncio.timeout(5):
            while not health.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert tries == 3


async def test_exit_does_not_wait_for_a_step_that_hangs() -> None:
    async with asyncio.timeout(2):
        async with warming(Health(), {"mongo": asyncio.Event().wait}):
            await asyncio.sleep(0)
