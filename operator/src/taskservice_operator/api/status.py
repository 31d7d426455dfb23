"""``status`` as frozen values, with the one reading and the one writing of its wire form.

All times are absolute UTC; on the wire RFC 3339 with whole seconds.  Nothing the operator must remember lives
anywhere else: a restarted operator knows exactly what its predecessor knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]


class Phase(StrEnum):
    """Where a rollout stands.  For people and for the rollout table; programs should read conditions."""

    STABLE = "Stable"
    STAGING = "Staging"
    VERIFYING = "Verifying"
    STEPPING = "Stepping"
    PRESCALING = "Prescaling"
    PROMOTING = "Promoting"
    PROVING = "Proving"
    RETURNING = "Returning"
    FAILED = "Failed"


@dataclass(frozen=True)
class Failure:
    """The revision that must not be tried again until the spec changes or a retry is asked for, and why."""

    revision: str
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True)
class Retiring:
    """A revision that is still up, and the time at which it is scaled to zero."""

    revision: str
    scale_down_at: datetime
    replicas: int


@dataclass(frozen=True)
class Rollout:
    """The rollout under way.  ``clocked_since``/``clock_spent_seconds`` count only time without availability."""

    started_at: datetime
    clocked_since: datetime | None = None
    clock_spent_seconds: int = 0
    verified_since: datetime | None = None
    approved_at: datetime | None = None
    switched_at: datetime | None = None
    fast: bool = False
    rollback: bool = False


@dataclass(frozen=True)
class CanaryState:
    """Where a canary stands.  ``step_index`` counts from 0 and is ``step_count`` when all steps are done.

    ``plan``: a digest of the steps, to notice when they change.  ``since``: when the step under way began.  Weights:
    the candidate's percent of requests, as intended and as live endpoints show it; the rest is stable's.
    """

    plan: str
    step_count: int
    step_index: int = 0
    since: datetime | None = None
    desired_weight: int = 0
    observed_weight: int = 0


@dataclass(frozen=True)
class Size:
    """``active``: replicas the live side holds; ``declared``: the spec.replicas that was last taken in."""

    active: int
    declared: int


@dataclass(frozen=True)
class Floor:
    """Prescaling: the least replicas of a revision until a time (None: until it is promoted)."""

    revision: str
    replicas: int
    until: datetime | None = None


@dataclass(frozen=True)
class AnalysisRun:
    """The running tally of one metric in one stage for one revision.  ``verdict``: Running, Pass or Fail."""

    stage: str
    metric: str
    revision: str
    verdict: str = "Running"
    measured: int = 0
    failed: int = 0
    errors: int = 0
    consecutive_errors: int = 0
    last_measured_at: datetime | None = None
    message: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class HistoryEntry:
    """A finished rollout.  ``result``: Promoted, Aborted, RolledBack or Superseded."""

    revision: str
    result: str
    reason: str
    started_at: datetime
    ended_at: datetime
    image: str = ""


@dataclass(frozen=True)
class Status:
    """What the operator knows and intends, apart from conditions and counts (derived at each pass)."""

    phase: Phase = Phase.STABLE
    stable: str | None = None
    active: str | None = None
    candidate: str | None = None
    previous: str | None = None
    wanted: str | None = None
    failure: Failure | None = None
    rollout: Rollout | None = None
    canary: CanaryState | None = None
    retiring: tuple[Retiring, ...] = ()
    size: Size | None = None
    floor: Floor | None = None
    analysis: tuple[AnalysisRun, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    handled_verbs: Json = field(default_factory=dict)
    conditions: tuple[Json, ...] = ()


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: ``2026-01-02T03:04:05Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """The inverse of :func:`format_time`; fractions of seconds are accepted."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def parse_status(raw: Json | None) -> Status:
    """Read a ``status`` as stored; an absent or empty one is a TaskService nobody has looked at yet."""
    raw = raw or {}
    revisions = raw.get("revisions") or {}
    failure, rollout, size, floor = (raw.get(key) for key in ("failure", "rollout", "size", "floor"))
    return Status(
        phase=Phase(raw.get("phase") or Phase.STABLE),
        stable=revisions.get("stable"),
        active=revisions.get("active"),
        candidate=revisions.get("candidate"),
        previous=revisions.get("previous"),
        wanted=revisions.get("wanted"),
        failure=Failure(failure["revision"], failure["reason"], failure["message"], parse_time(failure["at"]))
        if failure
        else None,
        rollout=_parse_rollout(rollout) if rollout else None,
        canary=_parse_canary(raw["canary"]) if raw.get("canary") else None,
        retiring=tuple(
            Retiring(entry["revision"], parse_time(entry["scaleDownAt"]), entry["replicas"])
            for entry in raw.get("retiring") or ()
        ),
        size=Size(size["active"], size["declared"]) if size else None,
        floor=Floor(floor["revision"], floor["replicas"], _optional_time(floor.get("until"))) if floor else None,
        analysis=tuple(_parse_run(entry) for entry in raw.get("analysis") or ()),
        history=tuple(
            HistoryEntry(
                entry["revision"],
                entry["result"],
                entry["reason"],
                parse_time(entry["startedAt"]),
                parse_time(entry["endedAt"]),
                entry.get("image", ""),
            )
            for entry in raw.get("history") or ()
        ),
        handled_verbs=raw.get("handledVerbs") or {},
        conditions=tuple(raw.get("conditions") or ()),
    )


def render_status(status: Status) -> dict[str, Any]:
    """The wire form of everything :class:`Status` holds; absent values are left out."""
    raw: dict[str, Any] = {"phase": status.phase.value}
    revisions = {
        name: value
        for name in ("stable", "active", "candidate", "previous", "wanted")
        if (value := getattr(status, name)) is not None
    }
    if revisions:
        raw["revisions"] = revisions
    if status.failure:
        failure = status.failure
        raw["failure"] = {
            "revision": failure.revision,
            "reason": failure.reason,
            "message": failure.message,
            "at": format_time(failure.at),
        }
    if status.rollout:
        raw["rollout"] = _render_rollout(status.rollout)
    if status.canary:
        raw["canary"] = _render_canary(status.canary)
    if status.retiring:
        raw["retiring"] = [
            {"revision": r.revision, "scaleDownAt": format_time(r.scale_down_at), "replicas": r.replicas}
            for r in status.retiring
        ]
    if status.size:
        raw["size"] = {"active": status.size.active, "declared": status.size.declared}
    if status.floor:
        raw["floor"] = _without_none(
            revision=status.floor.revision, replicas=status.floor.replicas, until=_time_or_none(status.floor.until)
        )
    if status.analysis:
        raw["analysis"] = [_render_run(run) for run in status.analysis]
    if status.history:
        raw["history"] = [
            {
                "revision": entry.revision,
                "result": entry.result,
                "reason": entry.reason,
                "startedAt": format_time(entry.started_at),
                "endedAt": format_time(entry.ended_at),
                "image": entry.image,
            }
            for entry in status.history
        ]
    if status.handled_verbs:
        raw["handledVerbs"] = dict(status.handled_verbs)
    if status.conditions:
        raw["conditions"] = [dict(condition) for condition in status.conditions]
    return raw


def _parse_rollout(raw: Json) -> Rollout:
    return Rollout(
        started_at=parse_time(raw["startedAt"]),
        clocked_since=_optional_time(raw.get("clockedSince")),
        clock_spent_seconds=raw.get("clockSpentSeconds", 0),
        verified_since=_optional_time(raw.get("verifiedSince")),
        approved_at=_optional_time(raw.get("approvedAt")),
        switched_at=_optional_time(raw.get("switchedAt")),
        fast=raw.get("fast", False),
        rollback=raw.get("rollback", False),
    )


def _render_rollout(rollout: Rollout) -> dict[str, Any]:
    return _without_none(
        startedAt=format_time(rollout.started_at),
        clockedSince=_time_or_none(rollout.clocked_since),
        clockSpentSeconds=rollout.clock_spent_seconds,
        verifiedSince=_time_or_none(rollout.verified_since),
        approvedAt=_time_or_none(rollout.approved_at),
        switchedAt=_time_or_none(rollout.switched_at),
        fast=rollout.fast or None,
        rollback=rollout.rollback or None,
    )


def _parse_canary(raw: Json) -> CanaryState:
    return CanaryState(
        plan=raw["plan"],
        step_count=raw["stepCount"],
        step_index=raw["stepIndex"],
        since=_optional_time(raw.get("stepSince")),
        desired_weight=raw.get("desiredWeight", 0),
        observed_weight=raw.get("observedWeight", 0),
    )


def _render_canary(canary: CanaryState) -> dict[str, Any]:
    return _without_none(
        stepIndex=canary.step_index,
        stepCount=canary.step_count,
        stepSince=_time_or_none(canary.since),
        desiredWeight=canary.desired_weight,
        observedWeight=canary.observed_weight,
        plan=canary.plan,
    )


def _parse_run(raw: Json) -> AnalysisRun:
    return AnalysisRun(
        stage=raw["stage"],
        metric=raw["metric"],
        revision=raw["revision"],
        verdict=raw["verdict"],
        measured=raw.get("measured", 0),
        failed=raw.get("failed", 0),
        errors=raw.get("errors", 0),
        consecutive_errors=raw.get("consecutiveErrors", 0),
        last_measured_at=_optional_time(raw.get("lastMeasuredAt")),
        message=raw.get("message", ""),
        dry_run=raw.get("dryRun", False),
    )


def _render_run(run: AnalysisRun) -> dict[str, Any]:
    return _without_none(
        stage=run.stage,
        metric=run.metric,
        revision=run.revision,
        verdict=run.verdict,
        measured=run.measured,
        failed=run.failed,
        errors=run.errors,
        consecutiveErrors=run.consecutive_errors,
        lastMeasuredAt=_time_or_none(run.last_measured_at),
        message=run.message,
        dryRun=run.dry_run or None,
    )


def _optional_time(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def _time_or_none(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
