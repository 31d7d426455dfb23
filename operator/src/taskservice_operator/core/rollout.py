"""Releases on one page, blue/green and by steps: the first row whose phase and predicate match decides.

Rows are tried until none matches.
Roles: *active* is what live traffic goes to, *stable* what we return to, *candidate* what is being released.
Abort and loss of the promoted side stand first and ask nothing of the candidate's health: a rollout that is
given up must never wait for the thing that broke it.  ``docs/architecture.md`` draws its diagram from ``TABLE``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taskservice_operator.api import names
from taskservice_operator.api.spec import MOST_STEPS
from taskservice_operator.api.status import Phase, Status
from taskservice_operator.core import stepping as by
from taskservice_operator.core import steps
from taskservice_operator.core import transitions as to
from taskservice_operator.core.model import Note
from taskservice_operator.core.traffic import is_held, is_spread, live_target, who_serves
from taskservice_operator.core.view import SWITCHED, View

BEFORE_SWITCH = frozenset({Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING})
ON_THE_WAY = BEFORE_SWITCH | {Phase.STEPPING}
AT_REST = frozenset({Phase.STABLE, Phase.FAILED})
STEP_LIMIT = 12 + MOST_STEPS
"""Rows in one decision.  The longest real chain is six, and a canary's steps; more would be a cycle."""


@dataclass(frozen=True)
class Row:
    """In one of ``phases``, when ``when`` holds: ``enter`` makes the new status; ``reason`` names the change."""

    phases: frozenset[Phase]
    when: Callable[[View], bool]
    next: Phase
    enter: Callable[[View, str], tuple[Status, Note]]
    reason: str


def _abort_asked(v: View) -> bool:
    """Abort of the candidate was asked for."""
    return v.is_asked(names.VERB_ABORT, v.status.candidate)


def _abort_after_switch(v: View) -> bool:
    """Abort of the candidate was asked for, and there is a stable side to return to."""
    return _abort_asked(v) and not v.is_first


def _is_rollback(v: View) -> bool:
    return bool(v.status.rollout and v.status.rollout.rollback)


def _promoted_is_dead(v: View) -> bool:
    """The promoted side has no ready pod, and stable has one, or was shrunk, or the spec asks for a third revision."""
    if v.is_first or v.facts.live_revision != v.status.candidate or v.full_size() == 0:
        return False
    stable = v.facts.of(v.status.stable)
    shrunk = v.status.canary is not None and stable.record is not None and stable.replicas < v.active_size()
    way_out = stable.ready > 0 or shrunk or v.is_superseded()
    return v.facts.of(v.status.candidate).ready == 0 and way_out


def _post_failed(v: View) -> bool:
    """A post-promotion metric failed."""
    return v.post_verdict().state == "Fail"


def _back_on_stable(v: View) -> bool:
    """Selector and endpoints of the live Service are on stable."""
    return v.facts.routes_to(v.status.stable, at_least=0)


def _no_way_back(v: View) -> bool:
    """Stable is gone, or has no ready pod while the promoted side has; and the spec asks for a third revision."""
    held = live_target(v) == v.status.candidate == v.facts.live_revision
    if v.status.canary is not None:
        held = is_held(v)
    return held and v.is_superseded() and not v.spec.paused


def _nowhere_to_come_home_to(v: View) -> bool:
    """After a canary: stable had the deadline's time for a ready pod and has none, and another revision serves."""
    waited = v.clock_spent() >= v.deadline() and not v.spec.paused
    return waited and is_spread(v) and v.facts.of(v.status.stable).ready == 0 and who_serves(v) is not None


def _reverted(v: View) -> bool:
    """The spec asks for what is live, and this is no rollback from it."""
    return v.wanted_revision is not None and v.wanted_revision == v.status.active and not _is_rollback(v)


def _new_revision(v: View) -> bool:
    """The spec asks for a revision that is not candidate, not live, not known to fail; and is not paused."""
    return v.is_superseded() and not v.spec.paused


def _live_again(v: View) -> bool:
    """The spec asks for what is live."""
    return v.wanted_revision is not None and v.wanted_revision == v.status.active


def _retry_asked(v: View) -> bool:
    """Retry of the failed revision was asked for, and the spec still asks for it."""
    return v.is_asked(names.VERB_RETRY, v.failed_revision) and v.wanted_revision == v.failed_revision


def _rollback_asked(v: View) -> bool:
    """Rollback of the active revision was asked for, and an earlier one is on record."""
    return v.is_asked(names.VERB_ROLLBACK, v.status.active) and v.previous() is not None


def _first_recovered(v: View) -> bool:
    """The first revision missed its deadline, and is available after all."""
    return (
        v.is_first
        and v.status.candidate is not None
        and v.status.candidate == v.failed_revision
        and v.is_available(v.status.candidate, v.full_size())
    )


def _deadline_passed(v: View) -> bool:
    """The time spent waiting for pods has reached the deadline; not while paused."""
    return not v.spec.paused and v.clock_spent() >= v.deadline()


def _previewable(v: View) -> bool:
    """The candidate is available at preview size."""
    return v.is_available(v.status.candidate, v.staging_size())


def _not_previewable(v: View) -> bool:
    """The candidate is not available at preview size any more."""
    return not _previewable(v)


def _pre_failed(v: View) -> bool:
    """A pre-promotion metric failed."""
    return v.pre_verdict().state == "Fail"


def _cleared(v: View) -> bool:
    """Every pre-promotion metric passed, promotion is approved, and the spec is not paused; not by steps."""
    passed = v.pre_verdict().state == "Pass"
    return not v.spec.paused and v.status.canary is None and passed and v.is_approved()


def _may_step(v: View) -> bool:
    """By steps: every pre-promotion metric passed, no third revision has pods, and the spec is not paused."""
    by_steps = v.status.canary is not None and not v.facts.spread
    return by_steps and not v.spec.paused and v.pre_verdict().state == "Pass" and not steps.others_with_pods(v)


def _other_strategy(v: View) -> bool:
    """The spec asks for the other strategy, and is not paused."""
    return not v.spec.paused and steps.has_other_strategy(v)


def _other_steps(v: View) -> bool:
    """The spec has other steps than those that were begun."""
    return steps.has_other_steps(v)


def _candidate_is_dead(v: View) -> bool:
    """The candidate has lost every ready pod, and stable has one, or none because the weight is 100."""
    goal = steps.goal_of(v)
    way_out = v.facts.of(v.status.stable).ready > 0 or goal.stable == 0
    return goal.candidate > 0 and v.facts.of(v.status.candidate).ready == 0 and way_out


def _full_promotion_asked(v: View) -> bool:
    """Somebody asked to skip the steps that are left."""
    return not steps.are_over(v) and v.is_asked(names.VERB_PROMOTE_FULL, v.status.candidate)


def _step_done(v: View) -> bool:
    """The step's weight is reached: pods ready, endpoints seen; a pause is over or promoted; and not paused."""
    return not v.spec.paused and steps.is_step_done(v)


def _steps_over(v: View) -> bool:
    """After the last step: the candidate is available at the size that carries the load, and not paused."""
    return steps.are_over(v) and _able_to_carry(v)


def _lost_after_steps(v: View) -> bool:
    """By steps: the candidate is not available at full size any more, and traffic has not moved."""
    return v.status.canary is not None and _lost_before_switch(v)


def _able_to_carry(v: View) -> bool:
    """The candidate is available at the size that carries the load, and the spec is not paused."""
    return not v.spec.paused and v.is_available(v.status.candidate, v.full_size())


def _lost_before_switch(v: View) -> bool:
    """The candidate is not available at full size any more, and traffic has not moved."""
    moved = v.facts.live_revision == v.status.candidate and not v.is_first
    return not moved and not v.is_available(v.status.candidate, v.full_size())


def _switched(v: View) -> bool:
    """Selector and endpoints of the live Service are on the candidate."""
    return v.facts.routes_to(v.status.candidate, at_least=min(1, v.full_size()))


def _proved_rollback(v: View) -> bool:
    """This was a rollback: nothing is to be proved."""
    return _is_rollback(v)


def _proved(v: View) -> bool:
    """Every post-promotion metric passed."""
    return v.post_verdict().state == "Pass"


def _in(*phases: Phase) -> frozenset[Phase]:
    return frozenset(phases)


P = Phase
# fmt: off
TABLE: tuple[Row, ...] = (
    # giving up: first, and whatever the candidate's health
    Row(BEFORE_SWITCH,                _abort_asked,        P.FAILED,     to.abort,      "AbortRequested"),
    Row(SWITCHED,                     _abort_after_switch, P.RETURNING,  to.turn_back,  "AbortRequested"),
    Row(_in(P.STEPPING),              _abort_asked,        P.RETURNING,  to.turn_back,  "AbortRequested"),
    Row(_in(P.STEPPING),              _candidate_is_dead,  P.RETURNING,  to.turn_back,  "CandidateLost"),
    Row(_in(P.STEPPING),              _deadline_passed,    P.RETURNING,  to.turn_back,  "ProgressDeadlineExceeded"),
    Row(SWITCHED,                     _promoted_is_dead,   P.RETURNING,  to.turn_back,  "PromotedUnavailable"),
    Row(_in(P.PROVING),               _post_failed,        P.RETURNING,  to.turn_back,  "PostPromotionAnalysisFailed"),
    Row(_in(P.RETURNING),             _back_on_stable,     P.FAILED,     to.returned,   "ReturnedToStable"),
    Row(_in(P.RETURNING),             _no_way_back,        P.STAGING,    to.stay,       "StableLost"),
    Row(_in(P.STAGING),               _nowhere_to_come_home_to,P.STAGING,to.settle,     "StableLost"),
    # the spec moved on
    Row(ON_THE_WAY,                   _reverted,           P.STABLE,     to.revert,     "Reverted"),
    Row(ON_THE_WAY,                   _new_revision,       P.STAGING,    to.supersede,  "Superseded"),
    Row(ON_THE_WAY,                   _other_strategy,     P.STAGING,    to.begin_again,"StrategyChanged"),
    Row(BEFORE_SWITCH,                _other_steps,        P.STAGING,    to.begin_again,"StepsChanged"),
    Row(_in(P.STEPPING),              _other_steps,        P.STEPPING,   by.first_step, "StepsChanged"),
    Row(_in(P.FAILED),                _live_again,         P.STABLE,     to.revert,     "Reverted"),
    Row(AT_REST,                      _new_revision,       P.STAGING,    to.stage,      "NewRevision"),
    Row(_in(P.FAILED),                _retry_asked,        P.STAGING,    to.retry,      "RetryRequested"),
    Row(AT_REST,                      _rollback_asked,     P.STAGING,    to.roll_back,  "RollbackRequested"),
    Row(_in(P.FAILED),                _first_recovered,    P.PROMOTING,  to.promote,    "FirstRevisionRecovered"),
    # the candidate's way to live traffic
    Row(_in(P.STAGING),               _previewable,        P.VERIFYING,  to.verify,     "CandidateAvailable"),
    Row(_in(P.STAGING, P.PRESCALING), _deadline_passed,    P.FAILED,     to.abort,      "ProgressDeadlineExceeded"),
    Row(_in(P.VERIFYING),             _pre_failed,         P.FAILED,     to.abort,      "PrePromotionAnalysisFailed"),
    Row(_in(P.VERIFYING),             _not_previewable,    P.STAGING,    to.fall_back,  "CandidateUnavailable"),
    Row(_in(P.VERIFYING),             _may_step,           P.STEPPING,   by.first_step, "StepsBegin"),
    Row(_in(P.STEPPING),              _full_promotion_asked,P.STEPPING,  by.last_step,  "PromotedInFull"),
    Row(_in(P.STEPPING),              _step_done,          P.STEPPING,   by.next_step,  "StepDone"),
    Row(_in(P.STEPPING),              _steps_over,         P.PROMOTING,  to.promote,    "CandidateAtFullSize"),
    Row(_in(P.PROMOTING),             _lost_after_steps,   P.STEPPING,   to.fall_back,  "CandidateUnavailable"),
    Row(_in(P.VERIFYING),             _cleared,            P.PRESCALING, to.prescale,   "Approved"),
    Row(_in(P.PRESCALING),            _able_to_carry,      P.PROMOTING,  to.promote,    "CandidateAtFullSize"),
    Row(_in(P.PROMOTING),             _lost_before_switch, P.PRESCALING, to.fall_back,  "CandidateUnavailable"),
    Row(_in(P.PROMOTING),             _switched,           P.PROVING,    to.prove,      "TrafficSwitched"),
    Row(_in(P.PROVING),               _proved_rollback,    P.FAILED,     to.rolled_back,"RolledBack"),
    Row(_in(P.PROVING),               _proved,             P.STABLE,     to.complete,   "Promoted"),
)
# fmt: on


def step(view: View) -> tuple[View, tuple[Note, ...]]:
    """Apply rows until none matches.  Returns the view with the status reached, and a note for each row taken."""
    notes: list[Note] = []
    for _ in range(STEP_LIMIT):
        row = next((row for row in TABLE if view.status.phase in row.phases and row.when(view)), None)
        if row is None:
            return view, tuple(notes)
        status, note = row.enter(view, row.reason)
        view = view.with_status(status)
        notes.append(note)
    raise RuntimeError(f"the rollout table does not come to rest: {[note.reason for note in notes]}")
