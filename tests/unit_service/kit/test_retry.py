"""Retries stay within their budget and their deadline."""

import asyncio

import pytest

from taskservice.kit.retry import Deadline, RetryBudget, pause


@pytest.mark.parametrize("calls", [1, 4, 5, 99, 1000])
def test_never_more_than_a_fifth_of_the_calls_so_far(calls: int) -> None:
    budget, spent = RetryBudget(ratio=0.2), 0
    for made in range(1, calls + 1):
        budget.earn()
        spent += budget.spend()
        assert spent <= 0.2 * made + 1e-6
    assert spent == calls // 5


def test_a_quiet_time_saves_up_only_so_much() -> None:
    budget = RetryBudget(ratio=0.2, most=3)
    for _ in range(1000):
        budget.earn()
    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]


def test_a_pause_is_jittered_and_bounded() -> None:
    pauses = [pause(20) for _ in range(200)]
    assert 0 <= min(pauses) < max(pauses) <= 0.5
    assert len(set(pauses)) > 100
    assert max(pause(1) for _ in range(200)) <= 0.02


@pytest.mark.anyio
async def test_a_deadline_runs_out_and_stays_out() -> None:
    deadline = Deadline(0.01)
    assert 0 < deadline.left <= 0.01
    await asyncio.sleep(0.02)
    assert deadline.left == 0
