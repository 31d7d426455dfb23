"""What entering a phase changes in the status.  Each function is the ``enter`` of one or more rows of the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from taskservice_operator.api import names
from taskservice_operator.api.spec import CANARY
from taskservice_operator.api.status import Failure, Floor, Phase, Rollout, Size, Status
from taskservice_operator.core import ledger, steps
from taskservice_operator.core import verdict as analysis
from taskservice_operator.core.model import Note
from taskservice_operator.core.traffic import who_serves
from taskservice_operator.core.view import FLOOR_SECONDS, View


def stage(v: View, reason: str) -> tuple[Status, Note]:
    """Begin a rollout of the wanted revision."""
    wanted = v.wanted_revision or ""
    status = ledger.retire(v, v.status.candidate, 0) if v.status.candidate else v.status
    fast = v.is_kept(wanted) and v.was_promoted(wanted)
    status = ledger.begin(v, status, wanted, Rollout(started_at=v.now, fast=fast))
    return replace(status, failure=None), Note(reason, f"revision {wanted} is being released ({_how(v, status)})")


def supersede(v: View, reason: str) -> tuple[Status, Note]:
    """The spec changed in mid-rollout: the candidate goes, the stable side never notices."""
    old = v.status.candidate
    status = ledger.remember(v, "Superseded", reason)
    status, note = stage(v.with_status(status), reason)
    return status, replace(note, message=f"revision {old} is superseded by {v.wanted_revision} before it went live")


def retry(v: View, reason: str) -> tuple[Status, Note]:
    """Try the failed revision once more, from the start."""
    status, _ = stage(v, reason)
    status = ledger.handled(v.with_status(status), names.VERB_RETRY)
    return status, Note(reason, f"revision {v.wanted_revision} is tried again on request")


def roll_back(v: View, reason: str) -> tuple[Status, Note]:
    """Leave the active revision for the one promoted before it; the spec stays as it is and is remembered as left."""
    active, previous = v.status.active or "", v.previous() or ""
    status = ledger.handled(v, names.VERB_ROLLBACK)
    status = ledger.begin(v, status, previous, Rollout(started_at=v.now, fast=True, rollback=True))
    # What must not be released again by itself is what the spec asks for: often the active one, but after a failed
    # release it is the failed one, which stays remembered for its own reason until the rollback has arrived.
    message = f"revision {active} was left by request for {previous}"
    failure = status.failure or Failure(v.wanted_revision or active, "RolledBack", message, v.now)
    status = replace(status, failure=failure)
    return status, Note(reason, f"rolling back from {active} to {previous}", warning=True)


def begin_again(v: View, reason: str) -> tuple[Status, Note]:
    """The spec asks for the same revision in another way: from the start, against the same stable side."""
    candidate, rollout = v.status.candidate or "", ledger.rollout_of(v)
    status = ledger.begin(v, _without_pending_floor(v.status), candidate, Rollout(started_at=rollout.started_at))
    return status, Note(reason, f"the release of revision {candidate} begins again ({_how(v, status)})")


def revert(v: View, reason: str) -> tuple[Status, Note]:
    """The spec is back at what is live: nothing to release."""
    status = v.status
    if status.candidate:
        status = ledger.retire(v.with_status(ledger.remember(v, "Superseded", reason)), status.candidate, 0)
    status = replace(status, phase=Phase.STABLE, candidate=None, rollout=None, analysis=(), failure=None, canary=None)
    return status, Note(reason, f"revision {v.status.active}, which the spec asks for, is live")


def verify(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate is up at preview size: measure it and wait for approval."""
    metrics = () if v.is_fast() else v.spec.rollout.pre_promotion
    runs = analysis.start_runs(metrics, analysis.PRE, v.status.candidate or "")
    status = ledger.stop_clock(v)
    rollout = replace(ledger.rollout_of(v.with_status(status)), verified_since=v.now)
    status = replace(status, phase=Phase.VERIFYING, rollout=rollout, analysis=runs)
    return status, Note(reason, f"revision {v.status.candidate} is available with {_replicas(v.staging_size())}")


def fall_back(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate lost readiness before it went live: wait for it again, on the same clock."""
    phase = Phase.STAGING if v.status.phase is Phase.VERIFYING else Phase.PRESCALING
    if v.status.canary is not None and phase is Phase.PRESCALING:
        phase = Phase.STEPPING
    rollout = replace(ledger.rollout_of(v), verified_since=None) if phase is Phase.STAGING else ledger.rollout_of(v)
    status = _without_pending_floor(replace(v.status, rollout=rollout))
    status = ledger.start_clock(v.with_status(status))
    status = replace(status, phase=phase, analysis=() if phase is Phase.STAGING else status.analysis)
    return status, Note(reason, f"revision {v.status.candidate} is no longer available", warning=True)


def prescale(v: View, reason: str) -> tuple[Status, Note]:
    """Approved: bring the candidate to the size that carries the load."""
    status = v.status
    if v.is_asked(names.VERB_PROMOTE, status.candidate):
        status = ledger.handled(v, names.VERB_PROMOTE)
    status = ledger.start_clock(v.with_status(status))
    rollout = replace(ledger.rollout_of(v.with_status(status)), approved_at=v.now)
    if v.is_asked(names.VERB_PROMOTE_FULL, status.candidate):
        status = ledger.handled(v.with_status(status), names.VERB_PROMOTE_FULL)
    return replace(status, phase=Phase.PRESCALING, rollout=rollout), Note(
        reason, f"revision {status.candidate} is approved and scales to {_replicas(v.full_size())}"
    )


def promote(v: View, reason: str) -> tuple[Status, Note]:
    """Intent to switch, recorded before the switch itself, with the size that the candidate goes live at.

    With an autoscaler on either side that size outlives the rollout for a while, else only the rollout needs it.
    """
    size = v.full_size()
    status = ledger.stop_clock(v) if v.status.rollout else replace(v.status, rollout=Rollout(started_at=v.now))
    until = status.floor.until if status.floor else None
    if v.autoscaling_of(status.candidate) or v.autoscaling_of(status.active):
        until = v.now + timedelta(seconds=FLOOR_SECONDS)
    floor = Floor(status.candidate or "", size, until)
    failure = status.failure if _is_rollback(v) else None
    return replace(status, phase=Phase.PROMOTING, floor=floor, failure=failure), Note(
        reason, f"live traffic moves to revision {status.candidate} with {_replicas(size)} available"
    )


def prove(v: View, reason: str) -> tuple[Status, Note]:
    """Live traffic was seen on the candidate: it is active now, but stable is still what we return to."""
    metrics = () if v.is_fast() else v.spec.rollout.post_promotion
    runs = analysis.start_runs(metrics, analysis.POST, v.status.candidate or "")
    pre = tuple(run for run in v.status.analysis if run.stage == analysis.PRE)
    rollout = replace(ledger.rollout_of(v), switched_at=v.now)
    status = replace(v.status, phase=Phase.PROVING, active=v.status.candidate, rollout=rollout, analysis=pre + runs)
    return status, Note(reason, f"live traffic goes to revision {status.candidate}")


def complete(v: View, reason: str) -> tuple[Status, Note]:
    """Promoted for good: the candidate is stable; the side before it is kept up for a while, ready to return to."""
    status = ledger.remember(v, "Promoted", reason)
    if status.stable and status.stable != status.candidate:
        delay = 0 if status.canary else v.spec.rollout.blue_green.scale_down_delay_seconds
        status = ledger.retire(v.with_status(status), status.stable, delay)
    status = replace(_settle_size(v, status), phase=Phase.STABLE, failure=None)
    status = replace(status, stable=status.candidate, candidate=None, rollout=None, analysis=(), canary=None)
    return status, Note(reason, f"revision {status.stable} is live and stable")


def rolled_back(v: View, reason: str) -> tuple[Status, Note]:
    """A rollback has arrived.  What the spec still asks for is not released until the spec changes."""
    left, arrived, refused = v.status.stable, v.status.candidate, v.failed_revision or ""
    delay = v.spec.rollout.blue_green.scale_down_delay_seconds
    status = ledger.retire(v.with_status(ledger.remember(v, "RolledBack", reason)), left, delay)
    message = f"revision {left} was left by request for {arrived}"
    if refused not in (left, arrived):
        message += f", and revision {refused}, which the spec asks for, has failed"
    status = replace(_settle_size(v, status), phase=Phase.FAILED, failure=Failure(refused, reason, message, v.now))
    status = replace(status, stable=arrived, candidate=None, rollout=None, analysis=())
    return status, Note(reason, f"revision {arrived} is live again; {left} was left by request", warning=True)


def turn_back(v: View, reason: str) -> tuple[Status, Note]:
    """Give up after the switch: live traffic goes back to stable, which is still up, whatever the candidate does."""
    status = ledger.handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    failure = (
        _failed_rollback(v, reason, cause) if _is_rollback(v) else Failure(status.candidate or "", reason, cause, v.now)
    )
    status = replace(ledger.stop_clock(v.with_status(status)), phase=Phase.RETURNING, failure=failure)
    if status.canary is not None:
        # Stable may have to grow again before it can carry everything: it has the deadline's time for that.
        status = replace(status, rollout=replace(ledger.rollout_of(v.with_status(status)), clock_spent_seconds=0))
    return status, Note(reason, f"{cause}; live traffic returns to {status.stable}", warning=True)


def returned(v: View, reason: str) -> tuple[Status, Note]:
    """Live traffic was seen on stable again."""
    status = ledger.remember(v, "Aborted", v.status.failure.reason if v.status.failure else reason)
    status = ledger.retire(v.with_status(status), status.candidate, v.spec.rollout.abort_scale_down_delay_seconds)
    status = replace(_without_pending_floor(status), phase=Phase.FAILED, active=status.stable)
    status = replace(status, candidate=None, rollout=None, canary=None)
    return status, Note(reason, f"live traffic is back on revision {status.stable}", warning=True)


def stay(v: View, reason: str) -> tuple[Status, Note]:
    """There is no stable side to return to and the spec moved on: go from what serves, faulty as it may be."""
    given_up, serving = v.status.stable, v.status.candidate
    status = ledger.retire(v.with_status(ledger.remember(v, "Aborted", reason)), given_up, 0)
    size = Size(v.facts.of(serving).replicas, status.size.declared if status.size else v.spec.replicas)
    status = replace(_without_pending_floor(status), active=serving, stable=serving, candidate=None, size=size)
    status, _ = stage(v.with_status(status), reason)
    message = (
        f"revision {given_up} has no ready pods to return to: {serving} stays live until {v.wanted_revision} is ready"
    )
    return status, Note(reason, message, warning=True)


def settle(v: View, reason: str) -> tuple[Status, Note]:
    """A canary was left for another revision, and stable does not come back: go from the side that serves."""
    given_up, serving = v.status.stable, who_serves(v) or ""
    status = ledger.retire(v, given_up, 0)
    kept = tuple(entry for entry in status.retiring if entry.revision != serving)
    size = Size(
        max(v.facts.of(serving).replicas, v.active_size()), status.size.declared if status.size else v.spec.replicas
    )
    status = replace(status, retiring=kept, active=serving, stable=serving, size=size)
    rollout = Rollout(started_at=v.status.rollout.started_at if v.status.rollout else v.now)
    status = ledger.begin(v.with_status(status), status, status.candidate or "", rollout)
    message = (
        f"revision {given_up} has no ready pods to return to: {serving} stays live until {status.candidate} is ready"
    )
    return status, Note(reason, message, warning=True)


def abort(v: View, reason: str) -> tuple[Status, Note]:
    """Give up before the switch: live traffic never left the stable side."""
    status = ledger.handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    candidate = status.candidate or ""
    status = ledger.stop_clock(v.with_status(ledger.remember(v.with_status(status), "Aborted", reason)))
    status = replace(status, canary=None)
    if _is_rollback(v):
        # Nothing was left after all.  If the spec asks for the active side, the next row finds that.
        status = ledger.retire(v.with_status(status), candidate, 0)
        status = replace(status, failure=_failed_rollback(v, reason, cause), analysis=())
        status = replace(status, phase=Phase.FAILED, candidate=None, rollout=None)
        return status, Note(reason, f"the rollback to {candidate} was given up: {cause}", warning=True)
    failure = Failure(candidate, reason, cause, v.now)
    if v.is_first and reason == "ProgressDeadlineExceeded":
        # Nothing to return to and nobody to protect: leave the pods, they may still come up.
        status = replace(status, phase=Phase.FAILED, failure=failure, rollout=None)
        return status, Note(reason, f"{cause}; it goes live if it recovers", warning=True)
    status = ledger.retire(v.with_status(status), candidate, v.spec.rollout.abort_scale_down_delay_seconds)
    status = replace(status, phase=Phase.FAILED, candidate=None, rollout=None, failure=failure)
    serving = f"; {status.active} stays live, untouched" if status.active else ""
    return status, Note(reason, f"{cause}{serving}", warning=True)


def _cause(v: View, reason: str) -> str:
    candidate = v.status.candidate
    facts = v.facts.of(candidate)
    trouble = f": {facts.trouble.message}" if facts.trouble else ""
    if reason == "ProgressDeadlineExceeded":
        size = v.staging_size() if v.status.phase is Phase.STAGING else v.full_size()
        if v.status.phase is Phase.STEPPING:
            size = steps.goal_of(v).candidate
        limit = v.spec.rollout.progress_deadline_seconds
        return f"revision {candidate} had {facts.available} of {size} replicas available after {limit} s{trouble}"
    if reason == "PromotedUnavailable":
        return f"revision {candidate} lost every ready pod after the switch{trouble}"
    if reason == "CandidateLost":
        return f"revision {candidate} lost every ready pod while it got {steps.weight_at(v)} % of requests{trouble}"
    if reason == "PrePromotionAnalysisFailed":
        note = v.pre_verdict().note
        return f"revision {candidate} failed its pre-promotion analysis: {note.message if note else ''}"
    if reason == "PostPromotionAnalysisFailed":
        note = v.post_verdict().note
        return f"revision {candidate} failed its post-promotion analysis: {note.message if note else ''}"
    return f"the release of revision {candidate} was aborted on request"


def _how(v: View, status: Status) -> str:
    if status.rollout and status.rollout.fast:
        return "live at once when ready (it was promoted before and is still up)"
    if status.canary is not None:
        return f"Canary, {status.canary.step_count} steps"
    if v.spec.rollout.strategy == CANARY:
        return "at once: there is nothing to share requests with" if v.is_first else "at once: what is live autoscales"
    return v.spec.rollout.strategy


def _replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"


def _failed_rollback(v: View, reason: str, cause: str) -> Failure | None:
    """What is on record after a rollback that came to nothing: an earlier failure keeps its own reason."""
    failure = v.status.failure
    return (
        replace(failure, reason=reason, message=cause) if failure and failure.revision == v.status.stable else failure
    )


def _settle_size(v: View, status: Status) -> Status:
    """The candidate is the live side for good: it keeps the size it went live with."""
    if v.autoscaling_of(v.status.candidate) is None:
        size = Size(v.full_size(), status.size.declared if status.size else v.spec.replicas)
        status = replace(status, size=size)
    return _without_pending_floor(status)


def _without_pending_floor(status: Status) -> Status:
    return replace(status, floor=None) if status.floor and status.floor.until is None else status


def _is_rollback(v: View) -> bool:
    return bool(v.status.rollout and v.status.rollout.rollback)
