"""An operator of another version, which renders pods differently: nothing that runs is restarted, all else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator import __version__
from taskservice_operator.api import names
from taskservice_operator.core.model import Apply, ObjectKey, Plan
from taskservice_operator.core.reconcile import decide
from taskservice_operator.render import deployment as renderer
from taskservice_operator.render.deployment import RENDERED_BY
from testkit.builders import a_taskservice
from testkit.simulation import Simulation
from testkit.world import World

WEB = a_taskservice().replicas(2).rollout(progressDeadlineSeconds=60)
BEFORE, AFTER = renderer.PRE_STOP_SLEEP_SECONDS, renderer.PRE_STOP_SLEEP_SECONDS + 7


@pytest.fixture
def simulation() -> Simulation:
    simulation = Simulation(World.of(WEB))
    simulation.run(30)
    return simulation


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "PRE_STOP_SLEEP_SECONDS", AFTER)
    monkeypatch.setattr(renderer, "__version__", "9.9.9")


def key(world: World, revision: str | None = None) -> ObjectKey:
    return ObjectKey("apps/v1", "Deployment", world.owner.child(revision or world.live_revision or ""))


def sleep(deployment: Any) -> int:
    return deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]


def plan_of(simulation: Simulation) -> Plan:
    return decide(simulation.world.snapshot(), simulation.world.now)


def test_what_runs_is_left_as_it_is(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(monkeypatch)
    assert plan_of(simulation).is_empty(simulation.world.status)


def test_a_hand_edit_is_taken_back_to_what_was_written_not_to_what_would_be_written_now(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    world = simulation.world
    world.replace(key(world), template={"spec": {"containers": [{"name": "app", "image": "edited"}]}})
    [action] = plan_of(simulation).actions
    assert isinstance(action, Apply)
    assert (sleep(action.manifest), action.manifest["metadata"]["annotations"][RENDERED_BY]) == (BEFORE, __version__)
    simulation.run(5)
    assert sleep(world.objects[key(world)]) == BEFORE
    assert world.objects[key(world)]["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"


def test_the_next_revision_is_rendered_anew_and_a_rollback_brings_back_the_very_pods(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    world, first = simulation.world, simulation.world.live_revision
    world.edit(WEB.image("app:2"))
    simulation.run(30)
    second = world.live_revision
    assert second != first
    assert (sleep(world.objects[key(world, first)]), sleep(world.objects[key(world, second)])) == (BEFORE, AFTER)
    assert world.objects[key(world, second)]["metadata"]["annotations"][RENDERED_BY] == "9.9.9"
    world.annotate("rollback", second)
    simulation.run(30)
    assert (world.live_revision, sleep(world.objects[key(world, first)])) == (first, BEFORE)


def test_a_record_lost_by_hand_is_written_again_with_the_pods_that_run(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(monkeypatch)
    world = simulation.world
    record = ObjectKey("apps/v1", "ControllerRevision", key(world).name)
    pods = set(world.pods)
    world.remove(record)
    simulation.run(30)
    data = world.objects[record]["data"]
    assert (sleep({"spec": {"template": data["rendered"]}}), data["renderedBy"]) == (BEFORE, __version__)
    assert (sleep(world.objects[key(world)]), set(world.pods)) == (BEFORE, pods)


def test_a_record_older_than_this_rule_is_rendered_as_ever(simulation: Simulation) -> None:
    world = simulation.world
    record = ObjectKey("apps/v1", "ControllerRevision", key(world).name)
    for name in ("rendered", "renderedBy"):
        del world.objects[record]["data"][name]
    del world.objects[key(world)]["metadata"]["annotations"][RENDERED_BY]
    simulation.world.version += 1
    simulation.run(10)
    deployment = world.objects[key(world)]
    assert sleep(deployment) == BEFORE
    assert deployment["metadata"]["labels"][names.LABEL_REVISION] == world.live_revision
