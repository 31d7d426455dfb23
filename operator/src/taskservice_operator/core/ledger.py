"""The book that a rollout keeps in the status: its begin, its clock, what was carried out, what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from taskservice_operator.api import names
from taskservice_operator.api.status import HistoryEntry, Phase, Retiring, Rollout, Status
from taskservice_operator.core import steps
from taskservice_operator.core.view import View

HISTORY_LIMIT = 20
"""Finished rollouts remembered in the status; how many revisions can be returned to is the spec's to say."""


def tick_clock(v: View, *, running: bool) -> Status:
    """Start or stop the deadline clock, as the phase and ``spec.paused`` now ask."""
    if v.status.rollout is None:
        return v.status
    return start_clock(v) if running else stop_clock(v)


def rollout_of(v: View) -> Rollout:
    return v.status.rollout or Rollout(started_at=v.now)


def begin(v: View, status: Status, candidate: str, rollout: Rollout) -> Status:
    retiring = tuple(entry for entry in status.retiring if entry.revision != candidate)
    rollout = replace(rollout, clocked_since=None if v.spec.paused else v.now)
    canary = steps.begin(v, status, candidate, rollout)
    if canary is not None:
        # The live Service will select every pod: only the two sides may have any.
        retiring = tuple(replace(entry, scale_down_at=min(entry.scale_down_at, v.now)) for entry in retiring)
    status = replace(status, phase=Phase.STAGING, candidate=candidate, rollout=rollout, retiring=retiring, analysis=())
    return replace(status, canary=canary)


def retire(v: View, revision: str | None, delay_seconds: int) -> Status:
    """Keep ``revision`` up at its present size until the delay is over."""
    if not revision:
        return v.status
    others = tuple(entry for entry in v.status.retiring if entry.revision != revision)
    at = v.now + timedelta(seconds=delay_seconds)
    return replace(v.status, retiring=(*others, Retiring(revision, at, v.facts.of(revision).replicas)))


def remember(v: View, result: str, reason: str) -> Status:
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


def handled(v: View, annotation: str) -> Status:
    verb, value = names.verb_name(annotation), v.verb_value(annotation)
    return replace(v.status, handled_verbs={**v.status.handled_verbs, verb: value})


def start_clock(v: View) -> Status:
    rollout = rollout_of(v)
    if rollout.clocked_since is not None:
        return v.status
    return replace(v.status, rollout=replace(rollout, clocked_since=v.now))


def stop_clock(v: View) -> Status:
    rollout = rollout_of(v)
    if rollout.clocked_since is None:
        return v.status
    spent = int(v.clock_spent().total_seconds())
    return replace(v.status, rollout=replace(rollout, clocked_since=None, clock_spent_seconds=spent))
