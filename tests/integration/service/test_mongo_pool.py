"""The pool of a real driver as its metrics show it: used, idle, and waited for, also when the wait is cancelled."""

import asyncio
from collections.abc import Callable

import pytest

from taskservice.kit.metrics import Metrics
from taskservice.kit.mongo import Mongo, connect
from taskservice.kit.settings import AuthSettings

pytestmark = pytest.mark.anyio

Shown = Callable[[], tuple[float, float, float]]


def shown(metrics: Metrics) -> tuple[float, float, float]:
    """Used, idle, waiting."""

    def value(name: str, **labels: str) -> float:
        found = metrics.registry.get_sample_value(f"db_client_connection_{name}", labels)
        assert found is not None
        return found

    return value("count", state="used"), value("count", state="idle"), value("pending_requests")


async def until(metrics: Metrics, wanted: Callable[[tuple[float, float, float]], bool]) -> None:
    async with asyncio.timeout(60):
        while not wanted(shown(metrics)):  # noqa: ASYNC110 - the driver makes it so
            await asyncio.sleep(0.02)


def slow(database: Mongo) -> asyncio.Task[list[dict[str, object]]]:
    """A query that takes two seconds of the server."""
    found = database.collection("things").find({"$where": "sleep(2000) || true"})
    return asyncio.ensure_future(found.to_list(10))


async def test_the_pool_is_shown_as_it_is(auth_settings: AuthSettings, database: Mongo) -> None:
    metrics = Metrics("auth", "1", "r1")
    await database.collection("things").insert_one({"_id": "one"})
    small = connect(auth_settings.model_copy(update={"mongo_pool": 2}), metrics)
    try:
        await small.ping()
        await until(metrics, lambda now: now[0] == 0 and now[1] > 0)
        assert metrics.registry.get_sample_value("db_client_connection_max") == 2
        running = [slow(small) for _ in range(5)]
        await until(metrics, lambda now: now[0] == 2 and now[2] == 3)
        assert [len(found) for found in await asyncio.gather(*running)] == [1] * 5
        await until(metrics, lambda now: (now[0], now[2]) == (0, 0))
        assert shown(metrics)[1] >= 2

        # Who gives up waiting waits no longer, which the driver does not tell.
        running = [slow(small) for _ in range(5)]
        await until(metrics, lambda now: now[0] == 2 and now[2] == 3)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await until(metrics, lambda now: (now[0], now[2]) == (0, 0))
        waits = metrics.registry.get_sample_value("db_client_connection_wait_time_seconds_count")
        assert waits is not None
        assert waits >= 6
    finally:
        await small.close()
    assert shown(metrics) == (0, 0, 0)
