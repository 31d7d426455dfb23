"""Whole decisions: what is written, in which order, and above all what is not written."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from taskservice_operator.core.model import Apply, Create, Delete, Measurement, ObjectKey, Plan, Snapshot
from taskservice_operator.core.reconcile import decide
from taskservice_operator.core.revision import references
from testkit.builders import START, TaskServiceBuilder, a_taskservice, at
from testkit.simulation import Simulation
from testkit.world import World, crashes, never

WEB = a_taskservice().replicas(2).rollout(progressDeadlineSeconds=60)


def lived(resource: TaskServiceBuilder, seconds: float = 30) -> Simulation:
    simulation = Simulation(World.of(resource))
    simulation.run(seconds)
    return simulation


def named(plan: Plan) -> list[str]:
    def name(action: Any) -> str:
        match action:
            case Create(manifest) | Apply(manifest):
                return f"{type(action).__name__} {ObjectKey.of(manifest)}"
            case Delete(key):
                return f"Delete {key}"
        return "WriteStatus"

    return [name(action) for action in plan.actions]


def condition(plan_or_status: Any, kind: str) -> dict[str, Any]:
    status = plan_or_status.status if isinstance(plan_or_status, Plan) else plan_or_status
    return next(c for c in status["conditions"] if c["type"] == kind)


# -- what is written -----------------------------------------------------------------------------------------------


def test_what_has_nothing_yet_gets_shared_objects_before_its_own() -> None:
    plan = decide(World.of(WEB).snapshot(), START)
    revision = WEB.revision()
    assert named(plan) == [
        "Create PodDisruptionBudget web",
        "Create Service web",
        "Create Service web-preview",
        f"Create ControllerRevision web-{revision}",
        f"Create Deployment web-{revision}",
    ]


def test_intent_is_on_record_before_traffic_moves_and_scale_down_comes_last() -> None:
    simulation = lived(WEB)
    simulation.world.edit(WEB.image("app:2"))
    simulation.run(5)
    simulation.world.run_pods(5)
    simulation.world.scale()
    plan = decide(simulation.world.snapshot(), simulation.world.now)
    assert plan.status["phase"] == "Promoting"
    assert named(plan) == ["WriteStatus", "Apply Service web", "Apply PodDisruptionBudget web"]


@pytest.mark.parametrize("cut", range(8))
def test_an_operator_that_dies_anywhere_in_a_rollout_completes_it(cut: int) -> None:
    simulation = lived(WEB.autoscaled(2, 5).config(A="1"))
    simulation.world.edit(WEB.autoscaled(2, 5).config(A="2"))
    for _ in range(400):
        simulation.crash_soon(cut)
        simulation.tick()
        simulation.reconcile()
        simulation.tick()
    status = simulation.world.status
    assert (status["phase"], condition(status, "Ready")["status"]) == ("Stable", "True")


def test_the_status_tells_where_it_is_and_what_scale_needs() -> None:
    status = lived(WEB).world.status
    revision = WEB.revision()
    assert status["url"] == "http://web.default.svc:8000"
    assert (status["colour"], status["replicas"], status["readyReplicas"]) == ("blue", 2, 2)
    assert status["selector"] == f"taskservice.dev/name=web,taskservice.dev/revision={revision}"
    assert status["observedGeneration"] == WEB.generation


# -- what is not written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", [never, crashes, None], ids=["never ready", "crashing", "well"])
@pytest.mark.parametrize("later", [0, 0.25, 3600.75, 86400])
def test_an_idle_taskservice_is_not_written_to(life: Any, later: float) -> None:
    simulation = lived(WEB)
    if life:
        simulation.world.lives["app:2"] = life
        simulation.world.edit(WEB.image("app:2"))
    simulation.run(400)
    plan = decide(simulation.world.snapshot(), simulation.world.now + timedelta(seconds=later))
    assert plan.is_empty(simulation.world.status)
    assert plan.events == ()
    assert plan.requeue_after is None


def test_a_failed_one_with_a_missing_source_is_not_written_to() -> None:
    resource = WEB.config_from("settings")
    simulation = Simulation(World.of(resource))
    simulation.world.set_source("ConfigMap", "settings", {"A": "1"})
    simulation.run(30)
    simulation.world.lives["app:2"] = never
    simulation.world.edit(resource.image("app:2"))
    simulation.run(200)
    simulation.world.set_source("ConfigMap", "settings", None)
    simulation.run(60)
    version = simulation.world.version
    simulation.run(300)
    assert simulation.world.status["phase"] == "Failed"
    assert simulation.world.version == version
    assert condition(simulation.world.status, "Ready")["reason"] == "SourceMissing"


def test_waiting_for_a_person_writes_nothing() -> None:
    simulation = lived(WEB.promoted_by_hand())
    simulation.world.edit(WEB.promoted_by_hand().image("app:2"))
    simulation.run(60)
    version = simulation.world.version
    simulation.run(900)
    assert (simulation.world.status["phase"], simulation.world.version) == ("Verifying", version)


def test_a_decision_changes_nothing_it_was_given() -> None:
    simulation = lived(WEB)
    simulation.world.edit(WEB.image("app:2"))
    snapshot = simulation.world.snapshot()
    before = copy.deepcopy(snapshot)
    decide(snapshot, at(40))
    assert snapshot == before


def test_a_decision_is_the_same_whenever_it_is_made_within_a_second() -> None:
    simulation = lived(WEB)
    simulation.world.edit(WEB.image("app:2"))
    snapshot = simulation.world.snapshot()
    assert decide(snapshot, at(40)) == decide(snapshot, at(40.999))


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_an_unreadable_spec_leaves_everything_as_it_is() -> None:
    simulation = lived(WEB)
    objects = dict(simulation.world.objects)
    bad = WEB.having(autoscaling={"minReplicas": 9, "maxReplicas": 2})
    simulation.world.edit(bad)
    simulation.run(60)
    assert simulation.world.objects.keys() == objects.keys()
    ready = condition(simulation.world.status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "lower minReplicas or raise maxReplicas" in ready["message"]
    simulation.world.edit(WEB)
    simulation.run(5)
    assert condition(simulation.world.status, "Ready")["status"] == "True"


@pytest.mark.parametrize("spec", [{}, {"image": ""}, {"image": "a", "rollout": "x"}, {"image": "a", "config": "x"}])
def test_bad_input_ends_in_a_condition(spec: Any) -> None:
    taskservice = {**WEB.manifest(), "spec": spec}
    plan = decide(Snapshot(taskservice), START)
    assert plan.actions == ()
    assert condition(plan, "Stalled")["status"] == "True"
    assert references(taskservice) == frozenset()


def test_a_collision_is_found_before_anything_of_a_revision_exists() -> None:
    world = World.of(WEB)
    key = world.put_foreign("v1", "Service", "web")
    simulation = Simulation(world)
    simulation.run(40)
    kinds = {key.kind for key, manifest in world.objects.items() if world.owner.owns(manifest)}
    assert not kinds & {"Deployment", "ControllerRevision", "HorizontalPodAutoscaler"}
    assert world.status["blockedOn"] == {
        "kind": "Service",
        "name": "web",
        "reason": "NameCollision",
        "message": "Service 'web' exists and does not belong to this TaskService: "
        "delete or rename it, or rename TaskService 'web'",
    }
    world.remove(key)
    simulation.run(60)
    assert world.status["phase"] == "Stable"
    assert "blockedOn" not in world.status


def test_what_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    simulation = lived(WEB)
    metadata = simulation.world.taskservice["metadata"]
    simulation.world.taskservice["metadata"] = {**metadata, "deletionTimestamp": "2026-01-01T12:00:00Z"}
    assert decide(simulation.world.snapshot(), at(50)).is_empty(simulation.world.status)


def test_a_request_that_does_not_apply_is_answered_once() -> None:
    simulation = lived(WEB)
    simulation.world.annotate("rollback", WEB.revision())
    plan = decide(simulation.world.snapshot(), at(40))
    assert [note.reason for note in plan.events] == ["RequestIgnored"]
    assert "there is no earlier revision to return to" in plan.events[0].message
    simulation.world.write_status(plan.status)
    assert decide(simulation.world.snapshot(), at(41)).events == ()


def test_a_lost_record_comes_back_in_the_same_colour_without_touching_pods() -> None:
    simulation = lived(WEB)
    simulation.world.edit(WEB.image("app:2"))
    simulation.run(400)
    revision = simulation.world.live_revision
    simulation.world.remove(ObjectKey("apps/v1", "ControllerRevision", f"web-{revision}"))
    assert named(decide(simulation.world.snapshot(), simulation.world.now)) == [
        f"Create ControllerRevision web-{revision}"
    ]


GRPC = [{"name": "grpc", "port": 9091}]


def ports(simulation: Simulation, service: str) -> list[int]:
    found = simulation.world.snapshot().objects[ObjectKey("v1", "Service", service)]
    return [port["port"] for port in found["spec"]["ports"]]


def test_each_service_has_the_ports_of_the_revision_it_selects() -> None:
    simulation = lived(WEB.promoted_by_hand())
    simulation.world.edit(WEB.promoted_by_hand().image("app:2").having(ports=GRPC))
    simulation.run(120)
    assert (ports(simulation, "web"), ports(simulation, "web-preview")) == ([8000], [8000, 9091])
    simulation.world.annotate("promote", WEB.image("app:2").having(ports=GRPC).revision())
    simulation.run(120)
    assert ports(simulation, "web") == [8000, 9091]


def test_a_live_side_whose_record_was_lost_keeps_its_further_ports() -> None:
    resource = WEB.promoted_by_hand().having(managementPort=9090, ports=GRPC)
    simulation = lived(resource)
    simulation.world.edit(resource.image("app:2"))
    simulation.run(60)
    simulation.world.remove(ObjectKey("apps/v1", "ControllerRevision", f"web-{simulation.world.live_revision}"))
    simulation.run(10)
    assert ports(simulation, "web") == [8000, 9091]


def test_a_deleted_autoscaled_deployment_comes_back_at_its_size() -> None:
    simulation = Simulation(World.of(WEB.autoscaled(2, 10)))
    simulation.world.demand = 6
    simulation.run(40)
    key = ObjectKey("apps/v1", "Deployment", f"web-{simulation.world.live_revision}")
    simulation.world.remove(key)
    plan = decide(simulation.world.snapshot(), simulation.world.now)
    assert [a.manifest["spec"]["replicas"] for a in plan.actions if isinstance(a, Create)] == [6]


@pytest.mark.parametrize("written_by_autoscaler", [False, True])
def test_replicas_are_handed_over_and_never_vanish(written_by_autoscaler: bool) -> None:
    simulation = Simulation(World.of(WEB.autoscaled(2, 10)))
    simulation.world.demand = 6 if written_by_autoscaler else 0
    simulation.run(40)
    key = ObjectKey("apps/v1", "Deployment", f"web-{simulation.world.live_revision}")
    before = simulation.world.objects[key]["spec"]["replicas"]
    simulation.world.objects[key]["metadata"]["labels"] = {}
    simulation.world.objects[key]["metadata"]["labels"] = {
        "taskservice.dev/revision": str(simulation.world.live_revision)
    }
    plan = decide(simulation.world.snapshot(), simulation.world.now)
    (apply,) = [a for a in plan.actions if isinstance(a, Apply)]
    assert ("replicas" in apply.manifest["spec"]) is not written_by_autoscaler
    simulation.world.perform(apply)
    assert simulation.world.objects[key]["spec"]["replicas"] == before


# -- analysis that changes under way -------------------------------------------------------------------------------


def test_a_metric_that_is_renamed_in_mid_analysis_is_measured_anew() -> None:
    resource = WEB.analysed_before(count=100)
    simulation = lived(resource)
    simulation.world.edit(resource.image("app:2"))
    simulation.run(20)
    other = resource.image("app:2").analysed_before(name="other", count=1)
    simulation.world.edit(other)
    simulation.run(20)
    assert simulation.world.status["phase"] == "Stable"


def test_measurements_are_asked_of_the_preview_before_and_of_live_after_the_switch() -> None:
    asked: list[tuple[str, str]] = []
    resource = WEB.analysed_before().analysed_after()
    simulation = lived(resource)
    simulation.judge = lambda measure: asked.append((measure.stage, measure.service)) or "Pass"
    simulation.world.edit(resource.image("app:2"))
    simulation.run(40)
    assert asked == [("PrePromotion", "web-preview"), ("PostPromotion", "web")]


def test_a_repeated_measurement_counts_once() -> None:
    resource = WEB.analysed_before(count=3)
    simulation = lived(resource)
    simulation.world.edit(resource.image("app:2"))
    simulation.run(6)
    revision = resource.image("app:2").revision()
    measurement = Measurement(revision, "PrePromotion", "smoke", 0, "Pass", "well", simulation.world.now)
    snapshot = simulation.world.snapshot()
    twice = Snapshot(**{**snapshot.__dict__, "measurements": (measurement, measurement)})
    plan = decide(twice, simulation.world.now)
    assert [run["measured"] for run in plan.status["analysis"]] == [1]
