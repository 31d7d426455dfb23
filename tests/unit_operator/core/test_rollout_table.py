"""The rollout table row by row: the phase and the facts that take it, what it leads to, what prevents it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taskservice_operator.api.status import AnalysisRun, Failure, Floor, HistoryEntry, Phase, Retiring, Rollout, Size
from taskservice_operator.core.rollout import STEP_LIMIT, TABLE, step
from taskservice_operator.core.view import View
from testkit.builders import TaskServiceBuilder, a_snapshot, a_taskservice, at

OLD = a_taskservice().image("app:1").replicas(2).promoted_by_hand()
NEW = OLD.image("app:2")
THIRD = OLD.image("app:3")
R1, R2, R3 = OLD.revision(), NEW.revision(), THIRD.revision()
PROMOTED = HistoryEntry(R1, "Promoted", "Promoted", at(-60), at(-50))


def view(
    phase: Phase,
    spec: TaskServiceBuilder = NEW,
    *,
    old: int = 2,
    new: int | None = None,
    live: TaskServiceBuilder = OLD,
    seconds: float = 0,
    **status: Any,
) -> View:
    """Revision 1 is stable with ``old`` ready pods; the candidate of a rollout, if there is one, has ``new``."""
    under_way = phase not in (Phase.STABLE, Phase.FAILED)
    known: dict[str, Any] = {"stable": R1, "active": R1, "history": (PROMOTED,), "size": Size(2, 2), "phase": phase}
    if under_way:
        known |= {"candidate": R2, "rollout": Rollout(started_at=at(0), verified_since=at(0))}
    snapshot = a_snapshot(spec).blue(OLD, ready=old, replicas=2)
    if new is not None:
        snapshot = snapshot.green(NEW, ready=new, replicas=2)
    return snapshot.live(live).view(seconds, **{**known, **status})


def taken(v: View) -> list[str]:
    return [note.reason for note in step(v)[1]]


def after(v: View) -> View:
    return step(v)[0]


def failed(revision: str = R2) -> Failure:
    return Failure(revision, "ProgressDeadlineExceeded", "too late", at(-10))


CLOCKED = Rollout(started_at=at(0), clocked_since=at(0))
PROVING = Rollout(started_at=at(0), switched_at=at(0))


def run_of(stage: str, verdict: str) -> tuple[AnalysisRun, ...]:
    return (AnalysisRun(stage, "smoke", R2, verdict, message="1 of 5 requests was answered 500"),)


# -- giving up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING])
@pytest.mark.parametrize("ready", [0, 2])
def test_an_abort_before_the_switch_needs_nothing_of_the_candidate(phase: Phase, ready: int) -> None:
    v = after(view(phase, NEW.asking("abort", R2), new=ready))
    assert (v.status.phase, v.status.candidate, v.status.active) == (Phase.FAILED, None, R1)
    assert v.status.failure is not None
    assert (v.status.failure.revision, v.status.failure.reason) == (R2, "AbortRequested")
    assert v.status.handled_verbs == {"abort": R2}
    assert v.status.retiring == (Retiring(R2, at(30), 2),)


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.PROVING])
@pytest.mark.parametrize("ready", [0, 2])
def test_an_abort_after_the_switch_returns_whatever_the_candidates_health(phase: Phase, ready: int) -> None:
    v = view(phase, NEW.asking("abort", R2).analysed_after(), new=ready, live=NEW, rollout=PROVING)
    v = v.with_status(replace(v.status, analysis=run_of("PostPromotion", "Running")))
    assert taken(v)[0] == "AbortRequested"
    assert after(v).status.phase is Phase.RETURNING


def test_an_abort_of_another_revision_strikes_nothing() -> None:
    v = view(Phase.VERIFYING, NEW.asking("abort", R3), new=2)
    assert taken(v) == []


def test_a_verb_that_was_carried_out_does_not_strike_again() -> None:
    v = view(Phase.VERIFYING, NEW.asking("abort", R2), new=2, handled_verbs={"abort": R2})
    assert taken(v) == []


def test_a_new_suffix_makes_it_a_new_request() -> None:
    v = view(Phase.VERIFYING, NEW.asking("abort", f"{R2}@2"), new=2, handled_verbs={"abort": R2})
    assert taken(v) == ["AbortRequested"]


def test_a_promoted_side_without_ready_pods_is_left_at_once() -> None:
    v = view(Phase.PROMOTING, new=0, live=NEW, rollout=PROVING)
    assert taken(v) == ["PromotedUnavailable"]


def test_it_is_not_left_for_a_stable_side_that_is_no_better() -> None:
    assert taken(view(Phase.PROMOTING, new=0, old=0, live=NEW, rollout=PROVING)) == []


def test_with_both_sides_dead_a_third_revision_is_the_way_out() -> None:
    v = view(Phase.PROMOTING, THIRD, new=0, old=0, live=NEW, rollout=PROVING)
    assert taken(v)[0] == "PromotedUnavailable"


def test_a_failed_post_promotion_analysis_turns_back() -> None:
    spec = NEW.analysed_after()
    v = view(Phase.PROVING, spec, new=2, live=NEW, rollout=PROVING, analysis=run_of("PostPromotion", "Fail"))
    assert taken(v) == ["PostPromotionAnalysisFailed"]
    message = step(v)[1][0].message
    assert message == (
        f"revision {R2} failed its post-promotion analysis: smoke: 1 of 5 requests was answered 500; "
        f"live traffic returns to {R1}"
    )


def test_a_return_ends_when_traffic_is_seen_on_stable() -> None:
    v = view(Phase.RETURNING, new=0, live=OLD, active=R2, failure=failed())
    assert taken(v) == ["ReturnedToStable"]
    assert after(v).status.active == R1
    assert after(v).status.candidate is None


def test_a_return_waits_for_the_endpoints() -> None:
    assert taken(view(Phase.RETURNING, new=2, live=NEW, active=R2, failure=failed())) == []


def test_with_no_way_back_the_spec_goes_on_from_what_serves() -> None:
    v = view(Phase.RETURNING, THIRD, new=2, old=0, live=NEW, active=R2, failure=failed())
    assert taken(v)[0] == "StableLost"
    status = after(v).status
    assert (status.stable, status.active, status.candidate) == (R2, R2, R3)
    assert status.size == Size(2, 2)


# -- the spec moved on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING])
def test_a_revert_drops_the_candidate(phase: Phase) -> None:
    v = view(phase, OLD, new=1)
    assert taken(v) == ["Reverted"]
    status = after(v).status
    assert (status.phase, status.candidate, status.failure) == (Phase.STABLE, None, None)
    assert status.history[-1].result == "Superseded"


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING])
def test_a_third_revision_supersedes_the_candidate_and_never_stable(phase: Phase) -> None:
    v = view(phase, THIRD, new=2)
    assert taken(v) == ["Superseded"]
    status = after(v).status
    assert (status.phase, status.stable, status.active, status.candidate) == (Phase.STAGING, R1, R1, R3)
    assert status.retiring == (Retiring(R2, at(0), 2),)


@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.PROVING, Phase.RETURNING])
def test_a_third_revision_waits_while_traffic_moves(phase: Phase) -> None:
    rollout = replace(PROVING, switched_at=at(0))
    v = view(phase, THIRD.analysed_after(), new=2, live=NEW, rollout=rollout, active=R2, failure=failed())
    v = v.with_status(replace(v.status, analysis=run_of("PostPromotion", "Running")))
    assert "Superseded" not in taken(v)
    assert after(v).status.candidate == R2


def test_while_paused_the_candidate_is_not_superseded() -> None:
    assert taken(view(Phase.VERIFYING, THIRD.paused(), new=2)) == []


@pytest.mark.parametrize("phase", [Phase.STABLE, Phase.FAILED])
def test_a_new_revision_is_staged(phase: Phase) -> None:
    v = view(phase, NEW, failure=failed(R3) if phase is Phase.FAILED else None)
    assert taken(v) == ["NewRevision"]
    assert after(v).status.failure is None


def test_nothing_is_begun_while_paused() -> None:
    assert taken(view(Phase.STABLE, NEW.paused())) == []


def test_a_failed_revision_is_not_tried_again() -> None:
    assert taken(view(Phase.FAILED, NEW, failure=failed())) == []


def test_a_failed_revision_is_forgotten_when_the_spec_returns() -> None:
    v = view(Phase.FAILED, OLD, failure=failed())
    assert taken(v) == ["Reverted"]
    assert after(v).status.failure is None


def test_a_retry_begins_from_the_start() -> None:
    v = view(Phase.FAILED, NEW.asking("retry", R2), failure=failed())
    assert taken(v) == ["RetryRequested"]
    assert after(v).status.handled_verbs == {"retry": R2}


@pytest.mark.parametrize("named", [R1, R3])
def test_a_retry_of_another_revision_does_nothing(named: str) -> None:
    assert taken(view(Phase.FAILED, NEW.asking("retry", named), failure=failed())) == []


def test_a_revision_that_is_still_up_returns_without_being_judged() -> None:
    kept = (Retiring(R1, at(300), 2),)
    spec = OLD.analysed_before().analysed_after()
    history = (PROMOTED, HistoryEntry(R2, "Promoted", "Promoted", at(-40), at(-30)))
    v = view(Phase.STABLE, spec, new=2, live=NEW, stable=R2, active=R2, retiring=kept, history=history)
    assert taken(v) == ["NewRevision", "CandidateAvailable", "Approved", "CandidateAtFullSize"]


def test_a_rollback_goes_to_what_was_live_before() -> None:
    history = (PROMOTED, HistoryEntry(R2, "Promoted", "Promoted", at(-40), at(-30)))
    spec = NEW.asking("rollback", R2)
    v = view(Phase.STABLE, spec, old=0, new=2, live=NEW, stable=R2, active=R2, history=history)
    assert taken(v) == ["RollbackRequested"]
    status = after(v).status
    assert (status.candidate, status.active, status.phase) == (R1, R2, Phase.STAGING)
    assert status.failure is not None
    assert status.failure.revision == R2


def test_without_an_earlier_revision_there_is_no_rollback() -> None:
    assert taken(view(Phase.STABLE, OLD.asking("rollback", R1))) == []


def test_a_rollback_after_a_failed_release_leaves_the_failed_one_failed() -> None:
    history = (PROMOTED, HistoryEntry(R2, "Promoted", "Promoted", at(-40), at(-30)))
    spec = THIRD.asking("rollback", R2)
    common: dict[str, Any] = {"stable": R2, "active": R2, "history": history, "failure": failed(R3)}
    v = view(Phase.FAILED, spec, new=2, live=NEW, **common)
    assert taken(v) == ["RollbackRequested", "CandidateAvailable", "Approved", "CandidateAtFullSize"]
    arrived = view(Phase.PROMOTING, spec, new=2, live=OLD, **{**common, "candidate": R1})
    rollout = Rollout(started_at=at(0), fast=True, rollback=True)
    arrived = arrived.with_status(replace(arrived.status, rollout=rollout, floor=Floor(R1, 2), handled_verbs={}))
    status = after(arrived.with_status(replace(arrived.status, handled_verbs={"rollback": R2}))).status
    assert (status.phase, status.active, status.stable) == (Phase.FAILED, R1, R1)
    assert status.failure is not None
    assert status.failure.revision == R3


def test_an_aborted_rollback_leaves_everything_as_it_was() -> None:
    rollout = Rollout(started_at=at(0), fast=True, rollback=True)
    spec = NEW.asking("abort", R1)
    v = view(Phase.STAGING, spec, old=0, new=2, live=NEW, candidate=R1, stable=R2, active=R2, rollout=rollout)
    v = v.with_status(replace(v.status, failure=Failure(R2, "RolledBack", "left", at(0))))
    assert taken(v) == ["AbortRequested", "Reverted"]
    assert (after(v).status.phase, after(v).status.active) == (Phase.STABLE, R2)


def test_a_first_revision_that_recovers_goes_live() -> None:
    v = a_snapshot(OLD).blue(ready=2).live(OLD).view(phase=Phase.FAILED, candidate=R1, failure=failed(R1))
    assert taken(v) == ["FirstRevisionRecovered", "TrafficSwitched", "Promoted"]


# -- the candidate's way -------------------------------------------------------------------------------------------


def test_a_candidate_that_is_available_is_verified_and_waits_for_a_person() -> None:
    assert taken(view(Phase.STAGING, new=2, rollout=CLOCKED)) == ["CandidateAvailable"]


def test_a_candidate_that_is_not_available_is_waited_for() -> None:
    assert taken(view(Phase.STAGING, new=1, rollout=CLOCKED)) == []


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.PRESCALING])
def test_the_deadline_gives_up(phase: Phase) -> None:
    v = view(phase, new=1, rollout=CLOCKED, seconds=600)
    assert taken(v) == ["ProgressDeadlineExceeded"]
    note = step(v)[1][0]
    assert note.message == f"revision {R2} had 1 of 2 replicas available after 600 s; {R1} stays live, untouched"


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.PRESCALING])
def test_the_deadline_counts_all_visits(phase: Phase) -> None:
    spent = Rollout(started_at=at(-2000), clocked_since=at(0), clock_spent_seconds=550)
    assert taken(view(phase, new=1, rollout=spent, seconds=49)) == []
    assert taken(view(phase, new=1, rollout=spent, seconds=50)) == ["ProgressDeadlineExceeded"]


def test_the_deadline_does_not_strike_while_paused() -> None:
    assert taken(view(Phase.STAGING, NEW.paused(), new=1, rollout=CLOCKED, seconds=900)) == []


def test_being_available_in_time_counts_even_if_seen_late() -> None:
    assert taken(view(Phase.STAGING, new=2, rollout=CLOCKED, seconds=900)) == ["CandidateAvailable"]


def test_a_failed_pre_promotion_analysis_gives_up() -> None:
    v = view(Phase.VERIFYING, NEW.analysed_before(), new=2, analysis=run_of("PrePromotion", "Fail"))
    assert taken(v) == ["PrePromotionAnalysisFailed"]


def test_a_candidate_that_is_lost_while_verified_is_staged_again() -> None:
    v = view(Phase.VERIFYING, new=1)
    assert taken(v) == ["CandidateUnavailable"]
    rollout = after(v).status.rollout
    assert rollout is not None
    assert (rollout.clocked_since, rollout.verified_since) == (at(0), None)


def test_promotion_by_hand() -> None:
    v = view(Phase.VERIFYING, NEW.asking("promote", R2), new=2)
    assert taken(v) == ["Approved", "CandidateAtFullSize"]
    assert after(v).status.handled_verbs == {"promote": R2}


def test_promotion_of_another_revision_does_not_promote_this_one() -> None:
    assert taken(view(Phase.VERIFYING, NEW.asking("promote", R3), new=2)) == []


def test_promotion_waits_for_the_analysis() -> None:
    spec = NEW.analysed_before().asking("promote", R2)
    assert taken(view(Phase.VERIFYING, spec, new=2, analysis=run_of("PrePromotion", "Running"))) == []


def test_promotion_waits_while_paused() -> None:
    assert taken(view(Phase.VERIFYING, NEW.paused().asking("promote", R2), new=2)) == []


def test_a_timed_promotion_counts_from_the_end_of_the_analysis() -> None:
    spec = NEW.blue_green(autoPromotion=True, autoPromotionSeconds=30).analysed_before()
    runs = tuple(replace(run, last_measured_at=at(20)) for run in run_of("PrePromotion", "Pass"))
    assert taken(view(Phase.VERIFYING, spec, new=2, analysis=runs, seconds=49)) == []
    assert taken(view(Phase.VERIFYING, spec, new=2, analysis=runs, seconds=50))[0] == "Approved"


def test_the_switch_waits_for_the_full_size() -> None:
    assert taken(view(Phase.PRESCALING, new=1, rollout=CLOCKED)) == []
    v = view(Phase.PRESCALING, new=2, rollout=CLOCKED)
    assert taken(v) == ["CandidateAtFullSize"]
    assert after(v).status.floor == Floor(R2, 2)


def test_a_candidate_that_is_lost_just_before_the_switch_is_waited_for() -> None:
    assert taken(view(Phase.PROMOTING, new=1, floor=Floor(R2, 2))) == ["CandidateUnavailable"]


def test_the_switch_is_over_when_traffic_is_seen_on_the_candidate() -> None:
    v = view(Phase.PROMOTING, NEW.analysed_after(), new=2, live=NEW, floor=Floor(R2, 2))
    assert taken(v) == ["TrafficSwitched"]
    assert after(v).status.active == R2
    assert after(v).status.stable == R1


def test_a_proven_candidate_is_stable_and_the_old_side_is_kept() -> None:
    passed = run_of("PostPromotion", "Pass")
    v = view(Phase.PROVING, NEW.analysed_after(), new=2, live=NEW, active=R2, rollout=PROVING, analysis=passed)
    assert taken(v) == ["Promoted"]
    status = after(v).status
    assert (status.stable, status.active, status.candidate, status.floor) == (R2, R2, None, None)
    assert status.retiring == (Retiring(R1, at(300), 2),)


# -- the table itself ----------------------------------------------------------------------------------------------


def test_every_row_says_when_in_words() -> None:
    assert all((row.when.__doc__ or "").strip() for row in TABLE)


def test_no_decision_comes_near_the_limit() -> None:
    v = view(Phase.FAILED, NEW.blue_green(autoPromotion=True), new=2, live=NEW, failure=failed(R3))
    assert len(taken(v)) < STEP_LIMIT - 4
