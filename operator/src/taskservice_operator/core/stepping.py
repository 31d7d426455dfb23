"""What entering a step of a canary changes in the status: the ``enter`` of rows that stay in phase Stepping."""

from __future__ import annotations

from dataclasses import replace

from taskservice_operator.api import names
from taskservice_operator.api.status import CanaryState, Phase, Status, format_time
from taskservice_operator.core import ledger, steps
from taskservice_operator.core.model import Note
from taskservice_operator.core.view import View


def first_step(v: View, reason: str) -> tuple[Status, Note]:
    """Requests begin to go to the candidate; or begin again with the first of other steps."""
    plan, count = steps.plan_of(v.spec.rollout.canary), len(v.spec.rollout.canary.steps)
    status = _at_step(v, CanaryState(plan, count))
    done = f"other steps were asked for: revision {status.candidate} goes back to the first of {count}"
    if reason == "StepsBegin":
        done = f"revision {status.candidate} begins to get requests"
    return status, Note(reason, f"{done}; {_asks(v, status)}")


def next_step(v: View, reason: str) -> tuple[Status, Note]:
    """A step is done: on to the next, with the deadline's whole time for it."""
    canary = v.status.canary or CanaryState("", 0)
    status = v.status
    if v.is_asked(names.VERB_PROMOTE, status.candidate):
        status = ledger.handled(v, names.VERB_PROMOTE)
    status = _at_step(v.with_status(status), replace(canary, step_index=canary.step_index + 1))
    return status, Note(reason, f"step {canary.step_index + 1} of {canary.step_count} is done; {_asks(v, status)}")


def last_step(v: View, reason: str) -> tuple[Status, Note]:
    """Everything that is left is skipped on request."""
    canary = v.status.canary or CanaryState("", 0)
    status = ledger.handled(v, names.VERB_PROMOTE_FULL)
    status = _at_step(v.with_status(status), replace(canary, step_index=canary.step_count))
    return status, Note(reason, f"the steps that are left are skipped on request; {_asks(v, status)}")


def _at_step(v: View, canary: CanaryState) -> Status:
    """At the begin of a step: with a stopped clock that has all of its time again."""
    rollout = replace(ledger.rollout_of(v), clocked_since=None, clock_spent_seconds=0)
    canary = replace(canary, since=v.now)
    return replace(v.status, phase=Phase.STEPPING, rollout=rollout, canary=canary)


def _asks(v: View, status: Status) -> str:
    """What the step under way asks for, in words."""
    at = v.with_status(status)
    step = steps.current_step(at)
    if step is None:
        return f"revision {status.candidate} takes everything"
    if not step.is_pause:
        return f"its weight goes to {step.weight} %"
    due = steps.pause_due(at)
    return f"it pauses until {format_time(due)}" if due else "it pauses until promoted"
