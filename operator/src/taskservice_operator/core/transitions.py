"""What entering a phase changes in the status.  Each function is the ``enter`` of one or more rows of the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from taskservice_operator.api import names
from taskservice_operator.api.status import Failure, Floor, HistoryEntry, Phase, Retiring, Rollout, Size, Status
from taskservice_operator.core import verdict as analysis
from taskservice_operator.core.model import Note
from taskservice_operator.core.view import FLOOR_SECONDS, View

HISTORY_LIMIT = 20
"""Finished rollouts remembered in the status; how many revisions can be returned to is the spec's to say."""


def stage(v: View, reason: str) -> tuple[Status, Note]:
    """Begin a rollout of the wanted revision."""
    wanted = v.wanted_revision or ""
    status = _retire(v, v.status.candidate, 0) if v.status.candidate else v.status
    fast = v.is_kept(wanted) and v.was_promoted(wanted)
    status = _begin(v, status, wanted, Rollout(started_at=v.now, fast=fast))
    how = "live at once when ready (it was promoted before and is still up)" if fast else v.spec.rollout.strategy
    return replace(status, failure=None), Note(reason, f"revision {wanted} is being released ({how})")


def supersede(v: View, reason: str) -> tuple[Status, Note]:
    """The spec changed in mid-rollout: the candidate goes, the stable side never notices."""
    old = v.status.candidate
    status = _remember(v, "Superseded", reason)
    status, note = stage(v.with_status(status), reason)
    return status, replace(note, message=f"revision {old} is superseded by {v.wanted_revision} before it went live")


def retry(v: View, reason: str) -> tuple[Status, Note]:
    """Try the failed revision once more, from the start."""
    status, _ = stage(v, reason)
    status = _handled(v.with_status(status), names.VERB_RETRY)
    return status, Note(reason, f"revision {v.wanted_revision} is tried again on request")


def roll_back(v: View, reason: str) -> tuple[Status, Note]:
    """Leave the active revision for the one promoted before it; the spec stays as it is and is remembered as left."""
    active, previous = v.status.active or "", v.previous() or ""
    status = _handled(v, names.VERB_ROLLBACK)
    status = _begin(v, status, previous, Rollout(started_at=v.now, fast=True, rollback=True))
    # What must not be released again by itself is what the spec asks for: often the active one, but after a failed
    # release it is the failed one, which stays remembered for its own reason until the rollback has arrived.
    message = f"revision {active} was left by request for {previous}"
    failure = status.failure or Failure(v.wanted_revision or active, "RolledBack", message, v.now)
    status = replace(status, failure=failure)
    return status, Note(reason, f"rolling back from {active} to {previous}", warning=True)


def revert(v: View, reason: str) -> tuple[Status, Note]:
    """The spec is back at what is live: nothing to release."""
    status = v.status
    if status.candidate:
        status = _retire(v.with_status(_remember(v, "Superseded", reason)), status.candidate, 0)
    status = replace(status, phase=Phase.STABLE, candidate=None, rollout=None, analysis=(), failure=None)
    return status, Note(reason, f"revision {v.status.active}, which the spec asks for, is live")


def verify(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate is up at preview size: measure it and wait for approval."""
    metrics = () if v.is_fast() else v.spec.rollout.pre_promotion
    runs = analysis.start_runs(metrics, analysis.PRE, v.status.candidate or "")
    status = _stop_clock(v)
    rollout = replace(_rollout(v.with_status(status)), verified_since=v.now)
    status = replace(status, phase=Phase.VERIFYING, rollout=rollout, analysis=runs)
    return status, Note(reason, f"revision {v.status.candidate} is available with {_replicas(v.staging_size())}")


def fall_back(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate lost readiness before it went live: wait for it again, on the same clock."""
    phase = Phase.STAGING if v.status.phase is Phase.VERIFYING else Phase.PRESCALING
    rollout = replace(_rollout(v), verified_since=None) if phase is Phase.STAGING else _rollout(v)
    status = _without_pending_floor(replace(v.status, rollout=rollout))
    status = _start_clock(v.with_status(status))
    status = replace(status, phase=phase, analysis=() if phase is Phase.STAGING else status.analysis)
    return status, Note(reason, f"revision {v.status.candidate} is no longer available", warning=True)


def prescale(v: View, reason: str) -> tuple[Status, Note]:
    """Approved: bring the candidate to the size that carries the load."""
    status = v.status
    if v.is_asked(names.VERB_PROMOTE, status.candidate):
        status = _handled(v, names.VERB_PROMOTE)
    status = _start_clock(v.with_status(status))
    rollout = replace(_rollout(v.with_status(status)), approved_at=v.now)
    return replace(status, phase=Phase.PRESCALING, rollout=rollout), Note(
        reason, f"revision {status.candidate} is approved and scales to {_replicas(v.full_size())}"
    )


def promote(v: View, reason: str) -> tuple[Status, Note]:
    """Intent to switch, recorded before the switch itself, with the size that the candidate goes live at.

    With an autoscaler on either side that size outlives the rollout for a while, else only the rollout needs it.
    """
    size = v.full_size()
    status = _stop_clock(v) if v.status.rollout else replace(v.status, rollout=Rollout(started_at=v.now))
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
    rollout = replace(_rollout(v), switched_at=v.now)
    status = replace(v.status, phase=Phase.PROVING, active=v.status.candidate, rollout=rollout, analysis=pre + runs)
    return status, Note(reason, f"live traffic goes to revision {status.candidate}")


def complete(v: View, reason: str) -> tuple[Status, Note]:
    """Promoted for good: the candidate is stable; the side before it is kept up for a while, ready to return to."""
    status = _remember(v, "Promoted", reason)
    if status.stable and status.stable != status.candidate:
        delay = v.spec.rollout.blue_green.scale_down_delay_seconds
        status = _retire(v.with_status(status), status.stable, delay)
    status = replace(_settle_size(v, status), phase=Phase.STABLE, failure=None)
    status = replace(status, stable=status.candidate, candidate=None, rollout=None, analysis=())
    return status, Note(reason, f"revision {status.stable} is live and stable")


def rolled_back(v: View, reason: str) -> tuple[Status, Note]:
    """A rollback has arrived.  What the spec still asks for is not released until the spec changes."""
    left, arrived, refused = v.status.stable, v.status.candidate, v.failed_revision or ""
    delay = v.spec.rollout.blue_green.scale_down_delay_seconds
    status = _retire(v.with_status(_remember(v, "RolledBack", reason)), left, delay)
    message = f"revision {left} was left by request for {arrived}"
    if refused not in (left, arrived):
        message += f", and revision {refused}, which the spec asks for, has failed"
    status = replace(_settle_size(v, status), phase=Phase.FAILED, failure=Failure(refused, reason, message, v.now))
    status = replace(status, stable=arrived, candidate=None, rollout=None, analysis=())
    return status, Note(reason, f"revision {arrived} is live again; {left} was left by request", warning=True)


def turn_back(v: View, reason: str) -> tuple[Status, Note]:
    """Give up after the switch: live traffic goes back to stable, which is still up, whatever the candidate does."""
    status = _handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    failure = (
        _failed_rollback(v, reason, cause) if _is_rollback(v) else Failure(status.candidate or "", reason, cause, v.now)
    )
    status = replace(_stop_clock(v.with_status(status)), phase=Phase.RETURNING, failure=failure)
    return status, Note(reason, f"{cause}; live traffic returns to {status.stable}", warning=True)


def returned(v: View, reason: str) -> tuple[Status, Note]:
    """Live traffic was seen on stable again."""
    status = _remember(v, "Aborted", v.status.failure.reason if v.status.failure else reason)
    status = _retire(v.with_status(status), status.candidate, v.spec.rollout.abort_scale_down_delay_seconds)
    status = replace(_without_pending_floor(status), phase=Phase.FAILED, active=status.stable)
    status = replace(status, candidate=None, rollout=None)
    return status, Note(reason, f"live traffic is back on revision {status.stable}", warning=True)


def stay(v: View, reason: str) -> tuple[Status, Note]:
    """There is no stable side to return to and the spec moved on: go from what serves, faulty as it may be."""
    given_up, serving = v.status.stable, v.status.candidate
    status = _retire(v.with_status(_remember(v, "Aborted", reason)), given_up, 0)
    size = Size(v.facts.of(serving).replicas, status.size.declared if status.size else v.spec.replicas)
    status = replace(_without_pending_floor(status), active=serving, stable=serving, candidate=None, size=size)
    status, _ = stage(v.with_status(status), reason)
    message = (
        f"revision {given_up} has no ready pods to return to: {serving} stays live until {v.wanted_revision} is ready"
    )
    return status, Note(reason, message, warning=True)


def abort(v: View, reason: str) -> tuple[Status, Note]:
    """Give up before the switch: live traffic never left the stable side."""
    status = _handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    candidate = status.candidate or ""
    status = _stop_clock(v.with_status(_remember(v.with_status(status), "Aborted", reason)))
    if _is_rollback(v):
        # Nothing was left after all.  If the spec asks for the active side, the next row finds that.
        status = _retire(v.with_status(status), candidate, 0)
        status = replace(status, failure=_failed_rollback(v, reason, cause), analysis=())
        status = replace(status, phase=Phase.FAILED, candidate=None, rollout=None)
        return status, Note(reason, f"the rollback to {candidate} was given up: {cause}", warning=True)
    failure = Failure(candidate, reason, cause, v.now)
    if v.is_first and reason == "ProgressDeadlineExceeded":
        # Nothing to return to and nobody to protect: leave the pods, they may still come up.
        status = replace(status, phase=Phase.FAILED, failure=failure, rollout=None)
        return status, Note(reason, f"{cause}; it goes live if it recovers", warning=True)
    status = _retire(v.with_status(status), candidate, v.spec.rollout.abort_scale_down_delay_seconds)
    status = replace(status, phase=Phase.FAILED, candidate=None, rollout=None, failure=failure)
    serving = f"; {status.active} stays live, untouched" if status.active else ""
    return status, Note(reason, f"{cause}{serving}", warning=True)


def tick_clock(v: View, *, running: bool) -> Status:
    """Start or stop the deadline clock, as the phase and ``spec.paused`` now ask."""
    if v.status.rollout is None:
        return v.status
    return _start_clock(v) if running else _stop_clock(v)


def _cause(v: View, reason: str) -> str:
    candidate = v.status.candidate
    facts = v.facts.of(candidate)
    trouble = f": {facts.trouble.message}" if facts.trouble else ""
    if reason == "ProgressDeadlineExceeded":
        size = v.staging_size() if v.status.phase is Phase.STAGING else v.full_size()
        limit = v.spec.rollout.progress_deadline_seconds
        return f"revision {candidate} had {facts.available} of {size} replicas available after {limit} s{trouble}"
    if reason == "PromotedUnavailable":
        return f"revision {candidate} lost every ready pod after the switch{trouble}"
    if reason == "PrePromotionAnalysisFailed":
        note = v.pre_verdict().note
        return f"revision {candidate} failed its pre-promotion analysis: {note.message if note else ''}"
    if reason == "PostPromotionAnalysisFailed":
        note = v.post_verdict().note
        return f"revision {candidate} failed its post-promotion analysis: {note.message if note else ''}"
    return f"the release of revision {candidate} was aborted on request"


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


def _rollout(v: View) -> Rollout:
    return v.status.rollout or Rollout(started_at=v.now)


def _begin(v: View, status: Status, candidate: str, rollout: Rollout) -> Status:
    retiring = tuple(entry for entry in status.retiring if entry.revision != candidate)
    rollout = replace(rollout, clocked_since=None if v.spec.paused else v.now)
    return replace(status, phase=Phase.STAGING, candidate=candidate, rollout=rollout, retiring=retiring, analysis=())


def _retire(v: View, revision: str | None, delay_seconds: int) -> Status:
    """Keep ``revision`` up at its present size until the delay is over."""
    if not revision:
        return v.status
    others = tuple(entry for entry in v.status.retiring if entry.revision != revision)
    at = v.now + timedelta(seconds=delay_seconds)
    return replace(v.status, retiring=(*others, Retiring(revision, at, v.facts.of(revision).replicas)))


def _remember(v: View, result: str, reason: str) -> Status:
    rollout, candidate = v.status.rollout, v.status.candidate
    record = v.facts.of(candidate).record
    image = record.image if record else v.spec.template.get("image", "")
    started = rollout.started_at if rollout else v.now
    entry = HistoryEntry(candidate or "", result, reason, started, v.now, image)
    history = [*v.status.history, entry]
    while len(history) > HISTORY_LIMIT:
        # Many failures in a row must not make us forget where a rollback goes.
        history.remove(next((old for old in history if old.result in ("Aborted", "Superseded")), history[0]))
    return replace(v.status, history=tuple(history))


def _handled(v: View, annotation: str) -> Status:
    verb, value = names.verb_name(annotation), v.verb_value(annotation)
    return replace(v.status, handled_verbs={**v.status.handled_verbs, verb: value})


def _start_clock(v: View) -> Status:
    rollout = _rollout(v)
    if rollout.clocked_since is not None:
        return v.status
    return replace(v.status, rollout=replace(rollout, clocked_since=v.now))


def _stop_clock(v: View) -> Status:
    rollout = _rollout(v)
    if rollout.clocked_since is None:
        return v.status
    spent = int(v.clock_spent().total_seconds())
    return replace(v.status, rollout=replace(rollout, clocked_since=None, clock_spent_seconds=spent))
