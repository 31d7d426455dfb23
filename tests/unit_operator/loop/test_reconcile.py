"""One pass: a glance that costs nothing, a look before acting, the plan's order, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice_operator.api.spec import HttpCheck, Metric
from taskservice_operator.cluster.errors import Invalid, Transient
from taskservice_operator.cluster.memory import MemoryCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.freshness import needs_look
from taskservice_operator.core.model import Apply, Create, Delete, Measure, Note, ObjectKey, Plan, Snapshot, WriteStatus
from taskservice_operator.core.reconcile import decide as decide_really
from taskservice_operator.loop.measuring import Measuring
from taskservice_operator.loop.queue import TokenBucket
from taskservice_operator.loop.reconcile import NUMBERS_SECONDS, Reconciler
from taskservice_operator.loop.refusal import REASON, RECHECK_SECONDS
from taskservice_operator.metrics import Metrics
from testkit.cluster_contract import config_map, owned

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
            return Plan((), {"says": "taken"})
        if key in snapshot.objects:
            return Plan((), {"says": "done"})
        return Plan((Create(config_map(snapshot.taskservice, name)),), {"says": "made"}, events=(Note("Made", "it"),))

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
        return Plan((one, WriteStatus(), two), {"says": "intent"})

    await bench.reconciler(decide).reconcile(bench.ref)
    assert [write.kind for write in bench.cluster.writes] == ["ConfigMap", "TaskService", "ConfigMap"]


def decides(*statuses: dict[str, Any], action: Any = None) -> Decide:
    """A core that says one status after the other, with an action on what the snapshot shows of a Deployment."""
    left = list(statuses)

    def decide(snapshot: Snapshot, now: datetime) -> Plan:
        observed = snapshot.taskservice.get("status") or {}
        if left and observed == left[0]:
            left.pop(0)
        return Plan((action(snapshot),) if action else (), left[0] if left else observed)

    return decide


@pytest.mark.parametrize(
    ("before", "after", "looks"),
    [
        ({}, {"phase": "Staging"}, 0),
        ({"phase": "Staging"}, {"phase": "Verifying"}, 0),
        ({"phase": "Verifying"}, {"phase": "Failed"}, 1),
        ({"phase": "Prescaling"}, {"phase": "Promoting"}, 1),
        ({"phase": "Promoting"}, {"phase": "Prescaling"}, 1),
        ({"phase": "Verifying"}, {"phase": "Stepping"}, 1),
        ({"phase": "Stepping", "canary": {"stepIndex": 1}}, {"phase": "Stepping", "canary": {"stepIndex": 2}}, 1),
        ({"phase": "Proving"}, {"phase": "Stable"}, 1),
        ({"phase": "Stable", "revisions": {"active": "a"}}, {"phase": "Stable", "revisions": {"active": "b"}}, 1),
        ({"phase": "Stable"}, {"phase": "Stable", "failure": {"revision": "a"}}, 1),
        ({"phase": "Proving", "analysis": []}, {"phase": "Proving", "analysis": [1]}, 0),
    ],
)
async def test_only_what_passes_a_verdict_is_looked_at_before_it_is_recorded(
    bench: Bench, before: dict[str, Any], after: dict[str, Any], looks: int
) -> None:
    bench.cluster.record_status(bench.ref, before)
    assert (await bench.reconciler(decides(after)).reconcile(bench.ref)).result == "changed"
    assert (bench.status, bench.looks) == (after, looks)


def changes(kind: str, api_version: str, name: str, how: str) -> Any:
    def action(snapshot: Snapshot) -> Any:
        manifest = owned(snapshot.taskservice, api_version, kind, name, spec={})
        return {"create": Create, "apply": Apply}[how](manifest)

    return action


@pytest.mark.parametrize(
    ("how", "kind", "api_version", "name", "looks"),
    [
        ("create", "ConfigMap", "v1", "demo-a", 0),
        ("create", "Deployment", "apps/v1", "demo-a", 0),
        ("create", "Service", "v1", "demo-preview", 0),
        ("create", "Service", "v1", "demo", 1),
        ("apply", "Service", "v1", "demo", 1),
        ("apply", "Service", "v1", "demo-preview", 0),
        ("apply", "Deployment", "apps/v1", "demo-a", 1),
    ],
)
def test_only_what_could_do_harm_on_old_knowledge_needs_a_look(
    bench: Bench, how: str, kind: str, api_version: str, name: str, looks: int
) -> None:
    snapshot = bench.cluster.snapshot(bench.ref)
    assert snapshot is not None
    plan = Plan((changes(kind, api_version, name, how)(snapshot),), {})
    assert needs_look(plan, snapshot.taskservice) is bool(looks)


def test_a_deletion_needs_a_look(bench: Bench) -> None:
    taskservice = bench.cluster.get(("TaskService", "default", "demo"))
    assert needs_look(Plan((Delete(ObjectKey("v1", "ConfigMap", "demo-a"), "uid"),), {}), taskservice)


async def test_a_glance_that_was_too_old_is_followed_by_a_look(bench: Bench) -> None:
    reconciler = bench.reconciler(wants_config_map())
    bench.cluster.freeze_watches()
    bench.cluster.annotate(bench.ref, "example.org/seen", "by nobody")
    assert (await reconciler.reconcile(bench.ref)).result == "changed"
    assert (bench.status, bench.looks) == ({"says": "done"}, 1)


async def test_mere_numbers_are_written_once_a_second_and_everything_else_at_once(bench: Bench) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "WaitingForPods"}
    status: dict[str, Any] = {"phase": "Staging", "readyReplicas": 0, "conditions": [{**ready, "message": "0 of 3"}]}
    reconciler = bench.reconciler(lambda snapshot, now: Plan((), status))
    await reconciler.reconcile(bench.ref)
    for number in (1, 2):
        status = {**status, "readyReplicas": number, "conditions": [{**ready, "message": f"{number} of 3"}]}
        outcome = await reconciler.reconcile(bench.ref)
        assert (outcome.result, outcome.requeue_after) == ("held", NUMBERS_SECONDS - bench.seconds)
        bench.seconds += 0.4
    assert (bench.status["readyReplicas"], len(bench.cluster.writes)) == (0, 1)
    bench.seconds = NUMBERS_SECONDS
    assert (await reconciler.reconcile(bench.ref)).result == "changed"
    assert (bench.status["readyReplicas"], len(bench.cluster.writes)) == (2, 2)
    status = {**status, "readyReplicas": 3, "conditions": [{**ready, "reason": "Serving"}]}
    assert (await reconciler.reconcile(bench.ref)).result == "changed"
    assert (bench.status, bench.looks) == (status, 0)


async def test_events_are_told_once_and_only_after_the_status_is_on_record(bench: Bench) -> None:
    reconciler = bench.reconciler(wants_config_map())
    bench.cluster.fail_write(2, Transient("the server is busy"))
    with pytest.raises(Transient):
        await reconciler.reconcile(bench.ref)
    assert bench.cluster.events == []
    bench.cluster.remove(("ConfigMap", "default", "demo-a"))
    await reconciler.reconcile(bench.ref)
    await reconciler.reconcile(bench.ref)
    assert [note.reason for _, note in bench.cluster.events] == ["Made"]


async def test_a_failure_stops_the_plan_and_is_for_the_queue_to_repeat(bench: Bench) -> None:
    bench.cluster.fail_write(1, Transient("the server is busy"))
    with pytest.raises(Transient):
        await bench.reconciler(wants_config_map()).reconcile(bench.ref)
    assert len(bench.cluster.writes) == 1


async def test_a_foreign_object_is_decided_upon_in_the_same_pass_and_looked_at_again_later(bench: Bench) -> None:
    metadata = {"name": "demo-a", "namespace": "default"}
    bench.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    reconciler = bench.reconciler(wants_config_map())
    outcome = await reconciler.reconcile(bench.ref)
    assert (outcome.result, outcome.requeue_after, bench.status) == ("refused", RECHECK_SECONDS, {"says": "taken"})
    looks = bench.looks
    assert (await reconciler.reconcile(bench.ref)).result == "idle"
    assert bench.looks == looks
    bench.cluster.remove(("ConfigMap", "default", "demo-a"))
    bench.seconds += RECHECK_SECONDS + 1
    await reconciler.reconcile(bench.ref)
    assert bench.status == {"says": "made"}


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
