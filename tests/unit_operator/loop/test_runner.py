"""The runner: what wakes is looked at, a broken one hinders nobody, a lost lease ends everything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from taskservice_operator.cluster.errors import LeaseLost, Transient
from taskservice_operator.cluster.memory import MemoryCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import Plan, Snapshot
from taskservice_operator.loop.runner import Runner
from taskservice_operator.metrics import Metrics

pytestmark = pytest.mark.anyio


def make(cluster: MemoryCluster, name: str) -> Ref:
    return cluster.create_taskservice({"metadata": {"name": name}, "spec": {"image": f"{name}:v1"}})


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster(datetime(2026, 1, 1, tzinfo=UTC))


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    name = snapshot.taskservice["metadata"]["name"]
    if name == "broken":
        raise RuntimeError("a bug")
    return Plan((), {"says": "seen"})


def status(cluster: MemoryCluster, name: str) -> object:
    return cluster.get(("TaskService", "default", name)).get("status")


async def run_for(runner: Runner, seconds: float) -> None:
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(seconds)
    runner.stop()
    await task


async def test_everything_is_looked_at_when_it_starts(cluster: MemoryCluster) -> None:
    make(cluster, "one")
    make(cluster, "two")
    await run_for(Runner(cluster, decide, {}, Metrics()), 0.1)
    assert status(cluster, "one") == status(cluster, "two") == {"says": "seen"}


async def test_what_wakes_is_looked_at(cluster: MemoryCluster) -> None:
    runner = Runner(cluster, decide, {}, Metrics())
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(0.05)
    runner.wake([make(cluster, "late")])
    await asyncio.sleep(0.05)
    runner.stop()
    await task
    assert status(cluster, "late") == {"says": "seen"}


async def test_one_that_cannot_be_decided_upon_hinders_no_other(
    cluster: MemoryCluster, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("broken", "fine"):
        make(cluster, name)
    metrics = Metrics()
    await run_for(Runner(cluster, decide, {}, metrics, workers=1), 0.3)
    assert status(cluster, "fine") == {"says": "seen"}
    failed = metrics.registry.get_sample_value("taskservice_reconcile_total", {"result": "failed"})
    assert failed is not None
    assert 2 <= failed <= 5  # tried again, and ever later
    assert "a bug" in caplog.text


async def test_a_failed_request_is_repeated(cluster: MemoryCluster) -> None:
    make(cluster, "one")
    cluster.fail_write(1, Transient("no answer"))
    await run_for(Runner(cluster, decide, {}, Metrics()), 0.3)
    assert status(cluster, "one") == {"says": "seen"}


async def test_a_lost_lease_ends_the_run(cluster: MemoryCluster) -> None:
    make(cluster, "one")
    cluster.fail_write(1, LeaseLost("not ours"))
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(Runner(cluster, decide, {}, Metrics()).run(), 2)
