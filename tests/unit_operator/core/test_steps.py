"""A canary's questions: when a weight counts, how many pods each side has, what starts and ends its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taskservice_operator.api.status import CanaryState, HistoryEntry, Phase, Rollout, Size
from taskservice_operator.core import steps
from taskservice_operator.core.model import ObjectKey
from taskservice_operator.core.rollout import step
from taskservice_operator.core.scaling import Scale, scale_of
from taskservice_operator.core.traffic import is_spread, live_target
from taskservice_operator.core.view import View
from taskservice_operator.core.weights import Split
from testkit.builders import TaskServiceBuilder, a_slice, a_snapshot, a_taskservice, at

OLD = a_taskservice().replicas(10).by_steps(10, "30s", 50, None)
NEW = OLD.image("app:2")
R1, R2 = OLD.revision(), NEW.revision()
PROMOTED = HistoryEntry(R1, "Promoted", "", at(-100), at(-90))


def view(
    spec: TaskServiceBuilder = NEW,
    *,
    index: int = 0,
    old: tuple[int, int] = (9, 9),
    new: tuple[int, int] = (1, 1),
    spread: bool = True,
    phase: Phase = Phase.STEPPING,
    seconds: float = 0,
    missing: int = 0,
    **status: Any,
) -> View:
    """A canary at a step; sides are (replicas asked for, ready pods); ``missing`` endpoints are not shown yet."""
    snapshot = a_snapshot(spec).blue(OLD, replicas=old[0], ready=old[1]).green(NEW, replicas=new[0], ready=new[1])
    snapshot = snapshot.live(OLD)
    if spread:
        key = ObjectKey("v1", "Service", "web")
        service = {**snapshot.objects[key]}
        service["spec"] = {**service["spec"], "selector": {"taskservice.dev/name": "web"}}
        ready = [pod["metadata"]["name"] for pod in snapshot.pods if pod["status"]["conditions"][0]["status"] == "True"]
        shown = ready[: len(ready) - missing]
        snapshot = replace(snapshot.with_object(service), slices=(a_slice("web", shown),))
    plan = steps.plan_of(snapshot.view().spec.rollout.canary)
    known: dict[str, Any] = {"stable": R1, "active": R1, "candidate": R2, "phase": phase, "history": (PROMOTED,)}
    known |= {"size": Size(10, 10), "rollout": Rollout(at(0), verified_since=at(0))}
    return snapshot.view(seconds, **{**known, "canary": CanaryState(plan, 4, index, at(0)), **status})


def taken(v: View) -> list[str]:
    return [note.reason for note in step(v)[1]]


def test_a_weight_is_reached_when_its_pods_are_ready_and_shown_and_no_others() -> None:
    assert taken(view()) == ["StepDone"]
    assert taken(view(missing=1)) == [], "an endpoint of the candidate is missing"
    assert taken(view(old=(10, 10))) == [], "stable has a pod more than its share"
    assert taken(view(old=(9, 10))) == [], "that pod is asked to go, but still there"
    assert taken(view(new=(2, 1))) == [], "more pods are on their way"
    assert taken(view(spread=False)) == [], "the live Service does not select both"


def test_pods_that_stable_lacks_do_not_hold_a_weight_up() -> None:
    assert taken(view(old=(9, 7))) == ["StepDone"]


@pytest.mark.parametrize(("seconds", "expected"), [(29, []), (30, ["StepDone"])])
def test_a_pause_ends_by_itself(seconds: int, expected: list[str]) -> None:
    assert taken(view(index=1, seconds=seconds)) == expected


def test_a_pause_ends_on_request_and_one_without_an_end_only_so() -> None:
    assert taken(view(NEW.asking("promote", R2), index=1)) == ["StepDone"]
    at_last: dict[str, Any] = {"old": (5, 5), "new": (5, 5)}
    assert taken(view(index=3, seconds=86_400, **at_last)) == []
    assert taken(view(NEW.asking("promote", R2), index=3, **at_last)) == ["StepDone"]
    assert taken(view(NEW.asking("promote", R1), index=3, **at_last)) == []


def test_nothing_goes_on_while_paused_by_the_spec_but_an_abort_does() -> None:
    assert taken(view(NEW.paused(), index=1, seconds=60)) == []
    assert taken(view(NEW.paused().asking("abort", R2), index=1)) == ["AbortRequested"]


def test_in_full_skips_everything_that_is_left() -> None:
    v = step(view(NEW.asking("promote-full", R2)))[0]
    assert (v.status.canary and v.status.canary.step_index, steps.weight_at(v)) == (4, 100)


def test_a_step_has_the_whole_deadline_again() -> None:
    v = step(view(rollout=Rollout(at(0), clocked_since=at(0), clock_spent_seconds=500), seconds=50))[0]
    assert v.status.rollout is not None
    assert (v.status.rollout.clocked_since, v.status.rollout.clock_spent_seconds) == (None, 0)


def test_a_candidate_that_loses_every_pod_is_left_at_once_unless_stable_is_no_better() -> None:
    assert taken(view(index=3, old=(5, 5), new=(5, 0))) == ["CandidateLost"]
    assert taken(view(index=3, old=(5, 0), new=(5, 0))) == []


def test_after_an_abort_traffic_stays_spread_until_stable_can_carry_it() -> None:
    small = view(phase=Phase.RETURNING, old=(5, 5), new=(5, 5))
    assert is_spread(small)
    assert scale_of(small, R1) == Scale(10)
    assert scale_of(small, R2) == Scale(5)
    grown = view(phase=Phase.RETURNING, old=(10, 8), new=(5, 5))
    assert not is_spread(grown)
    assert live_target(grown) == R1


def test_after_an_abort_traffic_leaves_a_dead_candidate_at_once() -> None:
    assert not is_spread(view(phase=Phase.RETURNING, old=(5, 5), new=(5, 0)))


def test_a_canary_that_was_promoted_already_stays_where_it_is_until_stable_can_carry_everything() -> None:
    key: dict[str, Any] = {"spread": False, "phase": Phase.RETURNING, "active": R2}
    promoted = a_snapshot(NEW).blue(OLD, replicas=10, ready=3).green(NEW, replicas=10, ready=10).live(NEW)
    state = view(**key).status
    assert live_target(promoted.view().with_status(state)) == R2
    grown = a_snapshot(NEW).blue(OLD, replicas=10, ready=8).green(NEW, replicas=10, ready=10).live(NEW)
    assert live_target(grown.view().with_status(state)) == R1


@pytest.mark.parametrize(("stable", "expected"), [(0, ["PromotedUnavailable"]), (3, ["PromotedUnavailable"]), (10, [])])
def test_a_promoted_side_that_dies_is_left_for_a_stable_side_that_was_shrunk(stable: int, expected: list[str]) -> None:
    """Its pods are gone because of the steps, so their not being ready says nothing against it."""
    dead = a_snapshot(NEW).blue(OLD, replicas=stable, ready=0).green(NEW, replicas=10, ready=0).live(NEW)
    state = view(spread=False, phase=Phase.PROMOTING, index=4).status
    v = dead.view().with_status(state)
    assert taken(v)[:1] == expected
    if expected:
        assert live_target(step(v)[0]) == R1


def test_until_the_service_selects_both_nothing_is_scaled() -> None:
    v = view(index=2, old=(9, 9), new=(1, 1), spread=False)
    assert steps.sizes_of(v) == Split(candidate=1, stable=9)


def test_pods_that_would_be_reached_too_early_are_not_made() -> None:
    """A third revision in place of a canary waits until live traffic is on stable alone."""
    v = view(phase=Phase.STAGING, old=(5, 5), new=(5, 5))
    assert scale_of(v, R2) == Scale(5), "the candidate of before keeps what it has"
    assert scale_of(v, R1) == Scale(10)
    other = NEW.image("app:3").revision()
    assert scale_of(v.with_status(replace(v.status, candidate=other)), other) == Scale(0)


@pytest.mark.parametrize(
    ("rollout", "by_steps"),
    [(Rollout(at(0)), True), (Rollout(at(0), fast=True), False), (Rollout(at(0), rollback=True), False)],
)
def test_what_was_proven_before_and_what_goes_back_goes_at_once(rollout: Rollout, by_steps: bool) -> None:
    v = view()
    assert (steps.begin(v, v.status, R2, rollout) is not None) == by_steps


def test_a_first_revision_goes_at_once() -> None:
    v = view(stable=None, active=None)
    assert steps.begin(v, v.status, R2, Rollout(at(0))) is None


def test_another_strategy_and_other_steps_begin_again_from_the_start() -> None:
    canary = CanaryState("another plan", 4, 2, at(0))
    assert taken(view(canary=canary))[:1] == ["StepsChanged"]
    assert taken(view(NEW.rollout(strategy="BlueGreen")))[:1] == ["StrategyChanged"]
    assert step(view(NEW.rollout(strategy="BlueGreen")))[0].status.canary is None
