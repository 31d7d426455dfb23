"""A target that fails is left alone for a while, and what is no failure of it does not count."""

import asyncio
import traceback
from collections.abc import Callable

import pytest

from taskservice.kit.breaker import Breaker, CircuitOpen
from taskservice.kit.metrics import Metrics

pytestmark = pytest.mark.anyio


class Answered(Exception):
    pass


class Metered:
    def __init__(self, seconds: float = 60) -> None:
        self.metrics = Metrics("tasks", "1", "r1")
        self.breaker = Breaker("auth", failures=3, seconds=seconds, metrics=self.metrics, innocent=[Answered])

    async def call(self, error: BaseException | None = None) -> None:
        async with self.breaker.guarding():
            if error is not None:
                raise error

    async def fail(self, times: int, error: Callable[[], BaseException] = OSError) -> None:
        for _ in range(times):
            with pytest.raises(type(error())):
                await self.call(error())

    @property
    def state(self) -> float | None:
        return self.metrics.registry.get_sample_value("taskservice_circuit_breaker_state", {"target": "auth"})


async def test_it_opens_after_failures_in_a_row_and_says_when_to_come_back() -> None:
    metered = Metered()
    await metered.fail(2)
    await metered.call()
    await metered.fail(3)
    assert metered.state == 2
    with pytest.raises(CircuitOpen) as refused:
        await metered.call()
    assert 0 < refused.value.retry_after <= 60


async def test_answers_and_callers_that_leave_are_no_failures() -> None:
    metered = Metered()
    await metered.fail(10, Answered)
    await metered.fail(10, asyncio.CancelledError)
    assert metered.state == 0


async def test_after_its_time_one_success_closes_it_and_one_failure_opens_it_again() -> None:
    metered = Metered(seconds=0.05)
    await metered.fail(3)
    await asyncio.sleep(0.06)
    await metered.fail(1)
    assert metered.state == 2
    await asyncio.sleep(0.06)
    await metered.call()
    assert metered.state == 0


async def test_refusals_leave_nothing_behind() -> None:
    metered = Metered()
    await metered.fail(3)
    lengths = []
    for _ in range(50):
        with pytest.raises(CircuitOpen) as refused:
            await metered.call()
        lengths.append(len(traceback.format_exception(refused.value)))
    assert len(set(lengths)) == 1
