"""One pass: a glance that costs nothing, a look before acting, the plan's order, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice_operator.api.spec import HttpCheck, Metric
from taskservice_operator.cluster.errors import Conflict, Invalid
from taskservice_operator.cluster.memory import MemoryCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import Create, Measure, Note, ObjectKey, Plan, Snapshot, WriteStatus
from taskservice_operator.core.reconcile import decide as decide_really
from taskservice_operator.loop.measuring import Measuring
from taskservice_operator.loop.queue import TokenBucket
from taskservice_operator.loop.reconcile import Reconciler
from taskservice_operator.loop.refusal import REASON, RECHECK_SECONDS
from taskservice_operator.metrics import Metrics
from testkit.cluster_contract import config_map

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
Decide = Callable[[Snapshot, datetime], Plan]


@dataclass
class Bench:
    """A reconciler on a memory cluster, with a clock to move and a count of live looks."""

    cluster: MemoryCluster
    ref: Ref
    seconds: float = 0.0
    looks: int = 0
    woken: list[Ref] = field(default_factory=list)

    def reconciler(self, decide: Decide) -> Reconciler:
        async def passes(_: Measure) -> tuple[str, str]:
            return "Pass", "fine"

        observe = self.cluster.observe

        async def counted(ref: Ref, *, live: bool, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
            self.looks += live
            return await observe(ref, live=live, foreign=foreign)

        self.cluster.observe = counted
        self.measuring = Measuring({"http": passes}, lambda: self.cluster.now, self.woken.append)
        return Reconciler(
            self.cluster,
            decide,
            self.measuring,
            Metrics(),
            bucket=TokenBucket(1000, 1000),
            now=lambda: self.cluster.now,
            clock=lambda: self.seconds,
        )

    @property
    def status(self) -> dict[str, Any]:
        return self.cluster.get(("TaskService", self.ref.namespace, self.ref.name)).get("status") or {}


@pytest.fixture
def bench() -> Bench:
    cluster = MemoryCluster(START)
    return Bench(cluster, cluster.create_taskservice({"metadata": {"name": "demo"}, "spec": {"image": "demo:v1"}}))


def wants_config_map(name: str = "demo-a") -> Decide:
    """A core that wants one ConfigMap, and says in the status whether it has it or whose it is."""

    def decide(snapshot: Snapshot, now: datetime) -> Plan:
        key = ObjectKey("v1", "ConfigMap", name)
        if key in snapshot.foreign:
            return Plan((), {"step": "taken"})
        if key in snapshot.objects:
            return Plan((), {"step": "done"})
        return Plan((Create(config_map(snapshot.taskservice, name)),), {"step": "made"}, events=(Note("Made", "it"),))

    return decide


async def test_a_change_is_carried_out_and_the_next_glance_costs_nothing(bench: Bench) -> None:
    reconciler = bench.reconciler(wants_config_map())
    assert (await reconciler.reconcile(bench.ref)).result == "changed"
    assert (await reconciler.reconcile(bench.ref)).result == "changed"  # the status says "done" now
    writes, looks = len(bench.cluster.writes), bench.looks
    assert (await reconciler.reconcile(bench.ref)).result == "idle"
    assert (len(bench.cluster.writes), bench.looks) == (writes, looks)


async def test_nothing_is_done_on_outdated_knowledge(bench: Bench) -> None:
    reconciler = bench.reconciler(wants_config_map())
    bench.cluster.freeze_watches()
    await reconciler.reconcile(bench.ref)
    await reconciler.reconcile(bench.ref)
    creates = [write for write in bench.cluster.writes if write.kind == "ConfigMap"]
    assert len(creates) == 1


async def test_the_status_is_written_where_the_plan_says_and_only_if_it_differs(bench: Bench) -> None:
    def decide(snapshot: Snapshot, now: datetime) -> Plan:
        one, two = (Create(config_map(snapshot.taskservice, f"demo-{name}")) for name in ("a", "b"))
        return Plan((one, WriteStatus(), two), {"step": "intent"})

    await bench.reconciler(decide).reconcile(bench.ref)
    assert [write.kind for write in bench.cluster.writes] == ["ConfigMap", "TaskService", "ConfigMap"]


async def test_events_are_told_once_and_only_after_the_status_is_on_record(bench: Bench) -> None:
    reconciler = bench.reconciler(wants_config_map())
    bench.cluster.fail_write(2, Conflict("the status was changed meanwhile"))
    with pytest.raises(Conflict):
        await reconciler.reconcile(bench.ref)
    assert bench.cluster.events == []
    bench.cluster.remove(("ConfigMap", "default", "demo-a"))
    await reconciler.reconcile(bench.ref)
    await reconciler.reconcile(bench.ref)
    assert [note.reason for _, note in bench.cluster.events] == ["Made"]


async def test_a_failure_stops_the_plan_and_is_for_the_queue_to_repeat(bench: Bench) -> None:
    bench.cluster.fail_write(1, Conflict("somebody was faster"))
    with pytest.raises(Conflict):
        await bench.reconciler(wants_config_map()).reconcile(bench.ref)
    assert len(bench.cluster.writes) == 1


async def test_a_foreign_object_is_decided_upon_in_the_same_pass_and_looked_at_again_later(bench: Bench) -> None:
    metadata = {"name": "demo-a", "namespace": "default"}
    bench.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    reconciler = bench.reconciler(wants_config_map())
    outcome = await reconciler.reconcile(bench.ref)
    assert (outcome.result, outcome.requeue_after, bench.status) == ("refused", RECHECK_SECONDS, {"step": "taken"})
    looks = bench.looks
    assert (await reconciler.reconcile(bench.ref)).result == "idle"
    assert bench.looks == looks
    bench.cluster.remove(("ConfigMap", "default", "demo-a"))
    bench.seconds += RECHECK_SECONDS + 1
    await reconciler.reconcile(bench.ref)
    assert bench.status == {"step": "made"}


async def test_a_refused_manifest_ends_in_conditions_and_is_not_sent_again_for_a_while(bench: Bench) -> None:
    bench.cluster.fail_write(1, Invalid("spec.cpu must not be negative"))
    reconciler = bench.reconciler(wants_config_map())
    assert (await reconciler.reconcile(bench.ref)).result == "refused"
    stalled = next(condition for condition in bench.status["conditions"] if condition["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", REASON)
    assert "ConfigMap demo-a: spec.cpu must not be negative" in stalled["message"]
    writes = len(bench.cluster.writes)
    assert (await reconciler.reconcile(bench.ref)).result == "idle"
    assert len(bench.cluster.writes) == writes
    bench.seconds += 100
    await reconciler.reconcile(bench.ref)
    assert ("ConfigMap", "default", "demo-a") in bench.cluster.store


async def test_a_measurement_is_taken_once_and_offered_until_a_pass_has_seen_it(bench: Bench) -> None:
    measure = Measure(Metric("smoke", "http", HttpCheck()), "r1", "pre", 0, "demo-preview", "10.96.0.1", 8000)
    offered: list[int] = []

    def decide(snapshot: Snapshot, now: datetime) -> Plan:
        offered.append(len(snapshot.measurements))
        seen = len(snapshot.measurements) + snapshot.taskservice.get("status", {}).get("seen", 0)
        return Plan((), {"seen": min(seen, 1)}, measures=() if seen else (measure,))

    reconciler = bench.reconciler(decide)
    await reconciler.reconcile(bench.ref)
    [task] = bench.measuring._running.values()
    await task
    assert bench.woken == [bench.ref]
    await reconciler.reconcile(bench.ref)
    await reconciler.reconcile(bench.ref)
    assert bench.status == {"seen": 1}
    assert offered[-1] == 0


async def test_a_taskservice_on_its_way_out_is_left_to_the_garbage_collector(bench: Bench) -> None:
    bench.cluster.patch(bench.ref, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert (await bench.reconciler(wants_config_map()).reconcile(bench.ref)).result == "gone"
    assert bench.cluster.writes == []


async def test_the_real_core_converges_and_then_idles(bench: Bench) -> None:
    reconciler = bench.reconciler(decide_really)
    for _ in range(15):
        await reconciler.reconcile(bench.ref)
        bench.cluster.tick(1)
    writes = len(bench.cluster.writes)
    assert bench.status["phase"] == "Stable"
    for _ in range(100):
        await reconciler.reconcile(bench.ref)
        bench.cluster.tick(5)
    assert len(bench.cluster.writes) == writes
