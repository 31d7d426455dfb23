"""Events of the driver become numbers, also when one comes twice or never."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pymongo import monitoring as told

from taskservice.kit.mongo_pool import PoolMetrics

pytestmark = pytest.mark.anyio

HERE = ("db", 27017)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def pools(registry: CollectorRegistry) -> PoolMetrics:
    return PoolMetrics(registry, 50)


def shown(registry: CollectorRegistry) -> tuple[float | None, ...]:
    """Used, idle and waiting."""
    count = "db_client_connection_count"
    return (
        registry.get_sample_value(count, {"state": "used"}),
        registry.get_sample_value(count, {"state": "idle"}),
        registry.get_sample_value("db_client_connection_pending_requests"),
    )


def take(pools: PoolMetrics, number: int, address: Any = HERE) -> None:
    pools.connection_check_out_started(told.ConnectionCheckOutStartedEvent(address))
    pools.connection_checked_out(told.ConnectionCheckedOutEvent(address, number, 0.01))


def test_a_connection_is_idle_until_it_is_used_and_after(pools: PoolMetrics, registry: CollectorRegistry) -> None:
    for address in (HERE, ("other", 27017)):
        pools.connection_created(told.ConnectionCreatedEvent(address, 1))
    assert shown(registry) == (0, 2, 0)
    take(pools, 1)
    assert shown(registry) == (1, 1, 0)
    pools.connection_checked_in(told.ConnectionCheckedInEvent(HERE, 1))
    assert shown(registry) == (0, 2, 0)
    assert registry.get_sample_value("db_client_connection_max") == 50
    assert registry.get_sample_value("db_client_connection_wait_time_seconds_count") == 1


def test_one_that_breaks_in_use_is_gone_however_often_that_is_told(
    pools: PoolMetrics, registry: CollectorRegistry
) -> None:
    pools.connection_created(told.ConnectionCreatedEvent(HERE, 1))
    take(pools, 1)
    for _ in range(2):
        pools.connection_closed(told.ConnectionClosedEvent(HERE, 1, "error"))
    pools.connection_checked_in(told.ConnectionCheckedInEvent(HERE, 1))
    assert shown(registry) == (0, 0, 0)


def test_a_wait_that_ends_without_a_connection_is_counted(pools: PoolMetrics, registry: CollectorRegistry) -> None:
    for reason in ("timeout", "connectionError"):
        pools.connection_check_out_started(told.ConnectionCheckOutStartedEvent(HERE))
        assert shown(registry) == (0, 0, 1)
        pools.connection_check_out_failed(told.ConnectionCheckOutFailedEvent(HERE, reason, 1.0))
        assert shown(registry) == (0, 0, 0)
    assert registry.get_sample_value("db_client_connection_timeouts_total") == 1


async def test_a_wait_that_is_cancelled_leaves_nothing(pools: PoolMetrics, registry: CollectorRegistry) -> None:
    """The driver tells nothing then."""

    async def wait() -> None:
        pools.connection_check_out_started(told.ConnectionCheckOutStartedEvent(HERE))
        await asyncio.Event().wait()

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert shown(registry) == (0, 0, 3)
    for task in waiting[:2]:
        task.cancel()
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert shown(registry) == (0, 0, 1)
    waiting[2].cancel()
    await asyncio.gather(waiting[2], return_exceptions=True)
    assert shown(registry) == (0, 0, 0)
