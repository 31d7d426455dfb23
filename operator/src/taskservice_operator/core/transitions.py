"""What entering a phase changes in the status.  Each function is the ``enter`` of one or more rows of the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from taskservice_operator.api import names
from taskservice_operator.api.status import Failure, Floor, HistoryEntry, Phase, Retiring, Rollout, Status
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
    message = f"revision {active} was left by request for {previous}"
    status = replace(status, failure=Failure(active, "RolledBack", message, v.now))
    return status, Note(reason, f"rolling back from {active} to {previous}", warning=True)


def revert(v: View, reason: str) -> tuple[Status, Note]:
    """The spec is back at what is live: nothing to release."""
    status = v.status
    if status.candidate:
        status = _retire(v.with_status(_remember(v, "Superseded", reason)), status.candidate, 0)
    status = replace(status, phase=Phase.STABLE, candidate=None, rollout=None, analysis=(), failure=None)
    return status, Note(reason, f"the spec asks for revision {v.status.active} again, which is live")


def verify(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate is up at preview size: measure it and wait for approval."""
    metrics = () if v.is_fast() else v.spec.rollout.pre_promotion
    runs = analysis.start_runs(metrics, analysis.PRE, v.status.candidate or "")
    status = _stop_clock(v)
    rollout = replace(_rollout(v.with_status(status)), verified_since=v.now)
    status = replace(status, phase=Phase.VERIFYING, rollout=rollout, analysis=runs)
    return status, Note(reason, f"revision {v.status.candidate} is available with {v.staging_size()} replicas")


def fall_back(v: View, reason: str) -> tuple[Status, Note]:
    """The candidate lost readiness before it went live: wait for it again, on the same clock."""
    phase = Phase.STAGING if v.status.phase is Phase.VERIFYING else Phase.PRESCALING
    rollout = replace(_rollout(v), verified_since=None) if phase is Phase.STAGING else _rollout(v)
    status = _start_clock(v.with_status(replace(v.status, rollout=rollout)))
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
        reason, f"revision {status.candidate} is approved and scales to {v.full_size()} replicas"
    )


def promote(v: View, reason: str) -> tuple[Status, Note]:
    """Intent to switch, recorded before the switch itself."""
    size = v.full_size()
    status = _stop_clock(v) if v.status.rollout else replace(v.status, rollout=Rollout(started_at=v.now))
    elastic = v.autoscaling_of(status.candidate) or v.autoscaling_of(status.active)
    floor = Floor(status.candidate or "", size, v.now + timedelta(seconds=FLOOR_SECONDS)) if elastic else None
    failure = status.failure if _is_rollback(v) else None
    return replace(status, phase=Phase.PROMOTING, floor=floor, failure=failure), Note(
        reason, f"live traffic moves to revision {status.candidate} with {size} available replicas"
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
    status = replace(
        status, phase=Phase.STABLE, stable=status.candidate, candidate=None, rollout=None, failure=None, analysis=()
    )
    return status, Note(reason, f"revision {status.stable} is live and stable")


def rolled_back(v: View, reason: str) -> tuple[Status, Note]:
    """A rollback has arrived.  The spec still asks for what was left; that is remembered until it changes."""
    left = v.failed_revision
    status = _remember(v, "RolledBack", reason)
    if left:
        status = _retire(v.with_status(status), left, v.spec.rollout.blue_green.scale_down_delay_seconds)
    status = replace(status, phase=Phase.FAILED, stable=status.candidate, candidate=None, rollout=None, analysis=())
    return status, Note(reason, f"revision {status.stable} is live again; {left} was left on request", warning=True)


def turn_back(v: View, reason: str) -> tuple[Status, Note]:
    """Give up after the switch: live traffic goes back to stable, which is still up, whatever the candidate does."""
    status = _handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    failure = Failure(status.candidate or "", reason, cause, v.now)
    status = replace(_stop_clock(v.with_status(status)), phase=Phase.RETURNING, failure=failure)
    return status, Note(reason, f"{cause}; live traffic returns to {status.stable}", warning=True)


def returned(v: View, reason: str) -> tuple[Status, Note]:
    """Live traffic was seen on stable again."""
    status = _remember(v, "Aborted", v.status.failure.reason if v.status.failure else reason)
    status = _retire(v.with_status(status), status.candidate, v.spec.rollout.abort_scale_down_delay_seconds)
    status = replace(status, phase=Phase.FAILED, active=status.stable, candidate=None, rollout=None)
    return status, Note(reason, f"live traffic is back on revision {status.stable}", warning=True)


def abort(v: View, reason: str) -> tuple[Status, Note]:
    """Give up before the switch: live traffic never left the stable side."""
    status = _handled(v, names.VERB_ABORT) if v.is_asked(names.VERB_ABORT, v.status.candidate) else v.status
    cause = _cause(v, reason)
    candidate, rollback = status.candidate or "", bool(status.rollout and status.rollout.rollback)
    status = _stop_clock(v.with_status(_remember(v.with_status(status), "Aborted", reason)))
    if rollback:
        # Nothing was left after all: the active side stays, and the spec still asks for it.
        status = _retire(v.with_status(status), candidate, 0)
        status = replace(status, phase=Phase.STABLE, candidate=None, rollout=None, failure=None, analysis=())
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


def _is_rollback(v: View) -> bool:
    return bool(v.status.rollout and v.status.rollout.rollback)


def _rollout(v: View) -> Rollout:
    return v.status.rollout or Rollout(started_at=v.now)


def _begin(v: View, status: Status, candidate: str, rollout: Rollout) -> Status:
    retiring = tuple(entry for entry in status.retiring if entry.revision != candidate)
    rollout = replace(rollout, clocked_since=None if v.spec.paused else v.now)
    return replace(
        status, phase=Phase.STAGING, candidate=candidate, rollout=rollout, retiring=retiring, analysis=()
    )


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
    return replace(v.status, history=(*v.status.history, entry)[-HISTORY_LIMIT:])


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
