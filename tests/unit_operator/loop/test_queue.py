"""The queue: each key once, never twice at a time, later after each failure, changes before resyncs."""

from __future__ import annotations

import asyncio

import pytest

from taskservice_operator.cluster.port import Ref
from taskservice_operator.loop.queue import BACKOFF_MOST, Priority, TokenBucket, WorkQueue
from taskservice_operator.metrics import Metrics

pytestmark = pytest.mark.anyio

A, B, C = (Ref("default", name) for name in "abc")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def queue(metrics: Metrics) -> WorkQueue:
    return WorkQueue(metrics, jitter=lambda: 0.0)


async def take(queue: WorkQueue, seconds: float = 0.5) -> Ref:
    return await asyncio.wait_for(queue.take(), seconds)


async def is_empty(queue: WorkQueue) -> bool:
    try:
        await take(queue, 0.02)
    except TimeoutError:
        return True
    return False


async def test_a_key_added_twice_is_taken_once(queue: WorkQueue, metrics: Metrics) -> None:
    queue.add(A)
    queue.add(A)
    assert await take(queue) == A
    assert await is_empty(queue)
    assert metrics.registry.get_sample_value("workqueue_adds_total", {"name": "taskservice"}) == 1


async def test_a_key_being_worked_on_waits_until_it_is_done(queue: WorkQueue) -> None:
    queue.add(A)
    await take(queue)
    queue.add(A)
    assert await is_empty(queue)
    queue.done(A)
    assert await take(queue) == A


async def test_a_change_goes_before_a_resync(queue: WorkQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.RESYNC)
    queue.add(C)
    assert [await take(queue) for _ in range(3)] == [C, A, B]


async def test_a_waiting_resync_becomes_a_change(queue: WorkQueue) -> None:
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.RESYNC)
    queue.add(B)
    assert [await take(queue) for _ in range(2)] == [B, A]
    assert await is_empty(queue)


async def test_a_schedule_comes_when_it_is_due(queue: WorkQueue) -> None:
    queue.schedule(A, 0.1)
    assert await is_empty(queue)
    assert await take(queue) == A


async def test_the_last_schedule_counts(queue: WorkQueue) -> None:
    queue.schedule(A, 0.03)
    queue.schedule(A, 60)
    queue.schedule(B, 0.03)
    queue.unschedule(B)
    await asyncio.sleep(0.06)
    assert await is_empty(queue)


async def test_each_failure_waits_longer_up_to_a_limit_and_success_starts_anew(queue: WorkQueue) -> None:
    waits = [queue.retry(A) for _ in range(12)]
    assert waits[:4] == [0.05, 0.1, 0.2, 0.4]
    assert waits[-1] == BACKOFF_MOST
    queue.succeeded(A)
    assert queue.retry(A) == 0.05


async def test_the_wait_the_server_asked_for_is_the_least(queue: WorkQueue) -> None:
    assert queue.retry(A, least=7) == 7


async def test_every_waiting_worker_gets_a_key(queue: WorkQueue) -> None:
    takers = [asyncio.create_task(take(queue)) for _ in range(3)]
    await asyncio.sleep(0)
    for ref in (A, B, C):
        queue.add(ref)
    assert set(await asyncio.gather(*takers)) == {A, B, C}


async def test_only_changes_and_work_count_as_old(queue: WorkQueue) -> None:
    queue.add(A, Priority.RESYNC)
    await asyncio.sleep(0.02)
    assert queue.oldest_seconds() == 0
    await take(queue)
    await asyncio.sleep(0.02)
    assert queue.oldest_seconds() >= 0.02


async def test_the_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=50, burst=3)
    clock = asyncio.get_running_loop().time
    start = clock()
    for _ in range(3):
        await bucket.take()
    assert clock() - start < 0.01
    for _ in range(3):
        await bucket.take()
    assert 0.05 <= clock() - start < 0.5
