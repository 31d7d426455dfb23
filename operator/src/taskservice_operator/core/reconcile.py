"""The one decision: ``decide(snapshot, now) -> Plan``.  Pure, total and deterministic.

Order: understand what was observed → resolve what is wanted → let the rollout table step → derive sizes, objects,
conditions → compare with what exists → say when to look again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.spec import DEFAULT_PORT, InvalidSpec, Metric, Spec, parse_spec
from taskservice_operator.api.status import Phase, Status, parse_status, render_status
from taskservice_operator.core import steps, vaulted
from taskservice_operator.core import verdict as analysis
from taskservice_operator.core.conditions import SECRETS_READY, build_conditions, current, secrets_note
from taskservice_operator.core.desired import desired_objects
from taskservice_operator.core.facts import read_facts
from taskservice_operator.core.ledger import tick_clock
from taskservice_operator.core.model import Action, Measure, Note, ObjectKey, Plan, Snapshot
from taskservice_operator.core.planning import plan_actions
from taskservice_operator.core.revision import Blocked, Wanted, resolve
from taskservice_operator.core.rollout import step
from taskservice_operator.core.scaling import expire_floor, take_in_size
from taskservice_operator.core.traffic import is_dark, is_held, live_target
from taskservice_operator.core.view import CLOCKED, View

SWITCH_POLL_SECONDS = 1.0
"""While traffic moves we look again soon, should the event that tells of it be lost."""
WEIGHT_POLL_SECONDS = 5.0
"""While the two sides of a canary are on their way to a weight, likewise."""
SETTLE_SECONDS = 5
"""Nodes learn of a switch a moment after the API does: asked at once, the side before would answer for the new one."""
MISSING_POLL_SECONDS = 30.0
"""While something we need does not exist we look again, should its creation go unseen."""


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    """What to do about one TaskService now.  Never raises for bad input: that ends in a condition."""
    taskservice = snapshot.taskservice
    observed = taskservice.get("status") or {}
    if taskservice["metadata"].get("deletionTimestamp"):
        return Plan((), observed)  # the garbage collector takes what we own
    view = _look(snapshot, now.replace(microsecond=0))
    view = view.with_status(expire_floor(view))
    view = view.with_status(take_in_size(view))
    view = _take_measurements(view, snapshot)
    view, notes = (view, ()) if view.is_unreadable else step(view)
    view = view.with_status(take_in_size(view))
    view, ignored = _dismiss_stale_verbs(view)
    view = view.with_status(_finish_retirements(view))
    view = view.with_status(tick_clock(view, running=_is_waiting_for_pods(view)))
    view = view.with_status(steps.with_weights(view))
    why, waiting_for = current(view)
    view = view.with_status(
        replace(
            view.status,
            wanted=view.wanted_revision or view.status.wanted,
            previous=view.previous(),
            conditions=build_conditions(view, why),
        )
    )
    status = _whole_status(view, why, waiting_for)
    actions: tuple[Action, ...] = ()
    if not view.is_unreadable:  # a spec that says nothing about objects leaves all of them as they are
        desired = desired_objects(view, snapshot)
        actions = plan_actions(view, snapshot, desired, status_changes=status != observed)
    measures, measure_at = _due_measures(view)
    return Plan(
        actions=actions,
        status=status,
        measures=measures,
        events=(*notes, *ignored, *_news(snapshot, why), *_vault_news(view)),
        requeue_after=_requeue_after(view, measure_at),
    )


def _is_waiting_for_pods(v: View) -> bool:
    """Whether the deadline's clock runs."""
    if v.is_unreadable or (v.spec.paused and v.status.phase is not Phase.RETURNING):
        return False
    if v.status.phase is Phase.STEPPING:
        return not steps.is_at_weight(v)
    grows = v.status.phase is Phase.RETURNING and v.status.canary is not None and not is_held(v)
    return grows or v.status.phase in CLOCKED


def _look(snapshot: Snapshot, now: datetime) -> View:
    taskservice = snapshot.taskservice
    raw = taskservice.get("spec") or {}
    status, facts, reading = parse_status(taskservice.get("status")), read_facts(snapshot), vaulted.NOTHING_ASKED
    try:
        spec = parse_spec(raw)
        reading = vaulted.read(spec, snapshot)
        resolved = resolve(spec, raw, snapshot)
    except (InvalidSpec, KeyError, TypeError, ValueError, AttributeError) as problem:
        spec, message = Spec(template={}), str(problem)
        if not isinstance(problem, InvalidSpec):
            message = f"spec cannot be read ({message}): compare it with kubectl explain taskservice.spec --recursive"
        resolved = Blocked("TaskService", facts.owner.name, Note("InvalidSpec", message, warning=True))
    if snapshot.foreign:
        resolved = _collision(snapshot, min(snapshot.foreign))
    wanted = resolved if isinstance(resolved, Wanted) else None
    blocked = resolved if isinstance(resolved, Blocked) else None
    return View(taskservice, spec, status, facts, wanted, blocked, now, reading)


def _collision(snapshot: Snapshot, key: ObjectKey) -> Blocked:
    name = snapshot.taskservice["metadata"]["name"]
    message = (
        f"{key.kind} {key.name!r} exists and does not belong to this TaskService: "
        f"delete or rename it, or rename TaskService {name!r}"
    )
    return Blocked(key.kind, key.name, Note("NameCollision", message, warning=True))


def _take_measurements(v: View, snapshot: Snapshot) -> View:
    """Bring the tallies of the stage under way up to date; those of a finished one stay for people to read."""
    stage, metrics = _stage_of(v)[:2]
    if not stage or v.is_fast() or v.is_unreadable:
        return v
    others = tuple(run for run in v.status.analysis if run.stage != stage)
    mine = analysis.align(v.status.analysis, metrics, stage, v.status.candidate or "")
    measured = [measurement for measurement in snapshot.measurements if measurement.stage == stage]
    return v.with_status(replace(v.status, analysis=others + analysis.record(mine, metrics, measured)))


def _dismiss_stale_verbs(v: View) -> tuple[View, tuple[Note, ...]]:
    """Requests that cannot apply to what is there now are answered, once, so that they can never strike later."""
    handled, notes = dict(v.status.handled_verbs), []
    for annotation in names.VERBS:
        verb, revision, value = names.verb_name(annotation), v.requested(annotation), v.verb_value(annotation)
        if value is None:
            handled.pop(verb, None)
            continue
        if revision is None or (revision == v.status.candidate and _may_come_true(v, annotation)):
            continue
        handled[verb] = value
        if annotation in (names.VERB_PROMOTE, names.VERB_PROMOTE_FULL) and revision == v.status.active:
            continue  # it is live: what was asked for has happened
        notes.append(Note("RequestIgnored", _why_ignored(v, verb, revision), warning=True))
    return v.with_status(replace(v.status, handled_verbs=handled)), tuple(notes)


def _may_come_true(v: View, annotation: str) -> bool:
    """A promotion may be asked for before it is due, but the end of a pause only during that pause."""
    if annotation == names.VERB_PROMOTE_FULL:
        return True
    if annotation != names.VERB_PROMOTE:
        return False
    step = steps.current_step(v)
    return v.status.canary is None or (v.status.phase is Phase.STEPPING and step is not None and step.is_pause)


def _why_ignored(v: View, verb: str, revision: str) -> str:
    if verb == "rollback" and revision == v.status.active and v.previous() is None:
        return f"rollback of revision {revision} was asked for, but there is no earlier revision to return to"
    if verb == "promote" and revision == v.status.candidate:
        return f"promotion of revision {revision} was asked for, but there is no pause that it could end"
    subject = {"rollback": v.status.active, "retry": v.failed_revision}.get(verb, v.status.candidate)
    instead = f"now it could be {subject}" if subject and subject != revision else f"not in phase {v.status.phase}"
    return f"{verb} of revision {revision} was asked for, but does not apply: {instead}"


def _finish_retirements(v: View) -> Status:
    """Forget kept revisions whose time is over and whose pods have been told to go."""
    retiring = tuple(
        entry
        for entry in v.status.retiring
        if v.now < entry.scale_down_at
        or (v.facts.of(entry.revision).replicas > 0 and v.facts.of(entry.revision).deployed)
    )
    return replace(v.status, retiring=retiring)


def _whole_status(v: View, why: Note, waiting_for: Blocked | None) -> dict[str, Any]:
    serving = v.facts.of(live_target(v))
    status = render_status(v.status)
    status["observedGeneration"] = v.taskservice["metadata"].get("generation", 0)
    status["step"] = why.message
    status["replicas"] = serving.replicas
    status["readyReplicas"] = serving.ready
    if serving.record is not None:
        owner, port = v.facts.owner, serving.record.template.get("port", DEFAULT_PORT)
        status["colour"] = serving.record.colour
        status["url"] = f"http://{owner.name}.{owner.namespace}.svc:{port}"
    if serving.revision:
        selector = sorted(v.facts.owner.selector(serving.revision).items())
        status["selector"] = ",".join(f"{key}={value}" for key, value in selector)
    if waiting_for is not None:
        note = waiting_for.note
        status["blockedOn"] = {
            "kind": waiting_for.kind,
            "name": waiting_for.name,
            "reason": note.reason,
            "message": note.message,
        }
    return status


def _news(snapshot: Snapshot, why: Note) -> tuple[Note, ...]:
    """Troubles that no row of the table announces: told when the reason is new, not while it lasts."""
    before = {c["type"]: c.get("reason") for c in (snapshot.taskservice.get("status") or {}).get("conditions") or ()}
    told_by_rows = why.reason not in (
        "SourceMissing",
        "NameCollision",
        "InvalidSpec",
        "Unavailable",
        "StableUnavailable",
        "NobodyServes",
        "Paused",
    )
    return () if told_by_rows or before.get("Ready") == why.reason else (why,)


def _vault_news(v: View) -> tuple[Note, ...]:
    """A trouble with Vault is told when its reason is new; its end is told, too."""
    if not v.reading.asked or v.reading.is_pending:
        return ()
    before = next(
        (c for c in (v.taskservice.get("status") or {}).get("conditions") or () if c["type"] == SECRETS_READY), {}
    )
    after = secrets_note(v)
    is_trouble, was_trouble = v.reading.worst is not None, before.get("status") == "False"
    is_new = is_trouble and before.get("reason") != after.reason
    return (after,) if is_new or (was_trouble and not is_trouble) else ()


def _stage_of(v: View) -> tuple[str, tuple[Metric, ...], datetime | None, str, str | None]:
    """Stage, metrics, start, Service and address of the analysis that the phase calls for."""
    rollout, owner = v.status.rollout, v.facts.owner
    if rollout is not None and v.status.phase is Phase.VERIFYING:
        return analysis.PRE, v.spec.rollout.pre_promotion, rollout.verified_since, owner.preview, v.facts.preview_ip
    if rollout is not None and rollout.switched_at is not None and v.status.phase is Phase.PROVING:
        settled = rollout.switched_at + timedelta(seconds=SETTLE_SECONDS)
        return analysis.POST, v.spec.rollout.post_promotion, settled, owner.name, v.facts.live_ip
    return "", (), None, "", None


def _due_measures(v: View) -> tuple[tuple[Measure, ...], datetime | None]:
    """Measurements to take now, and when the next one falls due."""
    stage, metrics, since, service, address = _stage_of(v)
    if since is None or address is None:
        return (), None
    by_name = {metric.name: metric for metric in metrics}
    due: list[Measure] = []
    later: list[datetime] = []
    for run in v.status.analysis:
        metric = by_name.get(run.metric)
        at = analysis.due_at(run, metric, since) if metric and run.stage == stage else None
        if metric is None or at is None:
            continue
        if at > v.now:
            later.append(at)
        else:
            due.append(Measure(metric, run.revision, stage, run.measured, service, address, v.spec.port))
    return tuple(due), min(later, default=None)


def _requeue_after(v: View, measure_at: datetime | None) -> float | None:
    times = [measure_at] if measure_at else []
    rollout, status = v.status.rollout, v.status
    if rollout is not None and rollout.clocked_since is not None:
        times.append(rollout.clocked_since + v.deadline() - timedelta(seconds=rollout.clock_spent_seconds))
    if status.phase is Phase.VERIFYING and (due := v.approval_due()) is not None and due > v.now:
        times.append(due)
    times += [entry.scale_down_at for entry in status.retiring if entry.scale_down_at > v.now]
    if status.floor is not None and status.floor.until is not None:
        times.append(status.floor.until)
    if status.phase in (Phase.PROMOTING, Phase.RETURNING) and not is_held(v) and not is_dark(v):
        times.append(v.now + timedelta(seconds=SWITCH_POLL_SECONDS))
    if status.phase is Phase.STEPPING and (due := steps.pause_due(v)) is not None and due > v.now:
        times.append(due)
    if status.phase is Phase.STEPPING and not steps.is_at_weight(v):
        times.append(v.now + timedelta(seconds=WEIGHT_POLL_SECONDS))
    if v.blocked is not None:
        times.append(v.now + timedelta(seconds=MISSING_POLL_SECONDS))
    return _seconds_until(times, v.now)


def _seconds_until(times: Iterable[datetime], now: datetime) -> float | None:
    earliest = min(times, default=None)
    return None if earliest is None else max((earliest - now).total_seconds(), SWITCH_POLL_SECONDS)
