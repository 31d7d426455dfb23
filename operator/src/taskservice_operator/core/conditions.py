"""The conditions of a TaskService and the one thing it waits for, derived from where the rollout stands.

``Ready``: what the spec asks for is live, all of it.  ``Available``: live traffic is served, whatever the rollout
does.  ``Progressing``/``Degraded``: as for Deployments.  ``Reconciling``/``Stalled``: the pair that kstatus reads
(Helm ``--wait``, Flux, Argo CD).  ``SecretsReady``, only where Vault is asked for secrets: the last answers were good;
while they are not, ``Ready`` stays what it is as long as nothing new is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from taskservice_operator.api.status import Phase, format_time
from taskservice_operator.core import steps
from taskservice_operator.core.model import Note
from taskservice_operator.core.revision import Blocked
from taskservice_operator.core.scaling import scale_of
from taskservice_operator.core.traffic import is_dark, is_gone, is_held, is_spread, is_too_small, live_target
from taskservice_operator.core.view import UNDER_WAY, View

REASON_LIMIT = 1024
SECRETS_READY = "SecretsReady"


def current(v: View) -> tuple[Note, Blocked | None]:
    """Why the TaskService is as it is, now; and the object it waits for, if it waits."""
    status, candidate = v.status, v.status.candidate
    stuck = v.blocked is not None and v.blocked.note.reason in ("NameCollision", "InvalidSpec")
    if v.blocked is not None and (stuck or status.phase not in (*UNDER_WAY, Phase.RETURNING)):
        return v.blocked.note, v.blocked
    if v.facts.spread and is_spread(v) and status.phase is not Phase.STEPPING and not is_held(v):
        return _coming_home(v)
    if status.phase is Phase.STEPPING:
        return _at_a_step(v)
    if status.phase is Phase.STAGING or status.phase is Phase.PRESCALING:
        return _waiting_for_pods(v)
    if status.phase is Phase.VERIFYING:
        return _waiting_for_clearance(v)
    if is_dark(v):
        return _both_dead(v)
    if status.phase is Phase.PROMOTING:
        note = Note("Promoting", f"live traffic is moving to revision {candidate}")
        return note, _on("Service", v.facts.owner.name, note)
    if status.phase is Phase.PROVING:
        note = v.post_verdict().note or Note("Promoted", f"revision {candidate} is live")
        return Note(note.reason, f"revision {candidate} is live: {note.message}"), _on(
            "Service", v.facts.owner.name, note
        )
    if status.phase is Phase.RETURNING:
        message = f"live traffic returns to revision {status.stable}"
        if is_held(v) and status.stable:
            why = v.facts.of(status.stable).trouble
            if is_gone(v, status.stable):
                message = (
                    f"revision {status.stable}, to which live traffic should return, is gone: its record and its "
                    f"Deployment were deleted; {candidate} stays live until the spec asks for another revision"
                )
            else:
                message += (
                    f" as soon as it has a ready pod{f' ({why.message})' if why else ''}; until then {candidate} serves"
                )
            note = Note("StableUnavailable", message, warning=True)
            return note, _on("Deployment", v.facts.owner.child(status.stable), note)
        if status.stable and is_too_small(v, status.stable):
            return _coming_home(v)
        note = Note("ReturningToStable", message, warning=True)
        return note, _on("Service", v.facts.owner.name, note)
    if status.phase is Phase.FAILED and status.failure:
        remedy = f"change the spec, or ask for it again with: kubectl taskservice retry {v.facts.owner.name}"
        note = Note(status.failure.reason, f"{status.failure.message}. To go on: {remedy}", warning=True)
        return note, None
    if v.spec.paused and v.is_superseded():
        note = Note("Paused", f"revision {v.wanted_revision} waits because spec.paused is true")
        return note, _on("TaskService", v.facts.owner.name, note)
    if status.active is None:
        return Note("Pending", "nothing has been released yet"), None
    if not is_serving(v):
        facts = v.facts.of(status.active)
        trouble = f": {facts.trouble.message}" if facts.trouble else ""
        note = Note("Unavailable", f"revision {status.active} has too few available replicas{trouble}", warning=True)
        return note, _on("Deployment", v.facts.owner.child(status.active), note)
    return Note("Live", f"revision {status.active} is live"), None


def is_serving(v: View) -> bool:
    """Live traffic finds at least three quarters of the pods it should (a PodDisruptionBudget allows the rest away).

    Ready pods are asked, not the Deployment controller: it knows of none for a moment whenever the scale changes.
    """
    if v.facts.spread:
        sides = {v.status.active, v.status.stable, v.status.candidate} - {None}
        return sum(v.facts.of(side).ready for side in sides) >= math.ceil(v.active_size() * 0.75)
    revision = v.facts.live_revision
    if revision is None or (v.status.active is None and v.status.phase is not Phase.PROMOTING):
        return False
    facts = v.facts.of(revision)
    scale, autoscaling = scale_of(v, revision), v.autoscaling_of(revision)
    if scale.replicas is not None:
        wanted = scale.replicas
    else:
        # What an autoscaler asks for on top of its minimum is growth under way, not something that is lost.
        wanted = max(scale.floor, autoscaling.min_replicas if autoscaling else 1)
    return facts.ready >= math.ceil(wanted * 0.75)


def build_conditions(v: View, note: Note) -> tuple[dict[str, Any], ...]:
    """All conditions, in a fixed order; a condition's transition time changes only when its status does."""
    phase, blocked = v.status.phase, v.blocked is not None
    held = is_held(v) or is_dark(v)
    under_way, failed = phase in {*UNDER_WAY, Phase.RETURNING} and not held, phase is Phase.FAILED or held
    settled = phase is Phase.STABLE and v.wanted_revision is not None and v.wanted_revision == v.status.active
    settled = settled and not v.facts.spread
    serving = is_serving(v)
    ready = "True" if settled and serving else "False" if blocked or failed or settled else "Unknown"
    served = Note("Serving", "live traffic is served") if serving else Note("NotServing", "live traffic is not served")
    passing = v.blocked is not None and v.blocked.passing
    stalled = (failed or (blocked and not passing)) and not under_way
    values = {
        "Ready": (ready, note),
        "Available": ("True" if serving else "False", served),
        "Progressing": ("True" if under_way else "False", note),
        "Degraded": ("True" if failed or (blocked and not passing) or (settled and not serving) else "False", note),
        "Reconciling": ("True" if not stalled and ready != "True" else "False", note),
        "Stalled": ("True" if stalled else "False", note),
    }
    before = {condition["type"]: condition for condition in v.status.conditions}
    generation = v.taskservice["metadata"].get("generation", 0)
    conditions = [
        _condition(v, before.get(kind), kind, status, why, generation) for kind, (status, why) in values.items()
    ]
    if v.reading.asked:
        conditions.append(_secrets_condition(v, before.get(SECRETS_READY), generation))
    return tuple(conditions)


def secrets_note(v: View) -> Note:
    """What there is to say about reading from Vault: the worst trouble, and how many more there are."""
    if v.reading.worst is None:
        return Note("SecretsRead", "Vault gives every secret that spec.secrets asks it for")
    note, others = v.reading.worst[1], len(v.reading.troubles) - 1
    return replace(note, message=f"{note.message} (and {others} more)") if others else note


def _secrets_condition(v: View, before: Mapping[str, Any] | None, generation: int) -> dict[str, Any]:
    if v.reading.is_pending and before is not None:
        return dict(before)  # what was said last is still the best that is known
    status = "Unknown" if v.reading.is_pending else "False" if v.reading.worst else "True"
    return _condition(v, before, SECRETS_READY, status, secrets_note(v), generation)


def _condition(
    v: View, before: Mapping[str, Any] | None, kind: str, status: str, why: Note, generation: int
) -> dict[str, Any]:
    kept = before is not None and before.get("status") == status
    return {
        "type": kind,
        "status": status,
        "reason": why.reason,
        "message": why.message[:REASON_LIMIT],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if kept and before else format_time(v.now),
    }


def _waiting_for_pods(v: View) -> tuple[Note, Blocked | None]:
    candidate, facts = v.status.candidate or "", v.facts.of(v.status.candidate)
    staging = v.status.phase is Phase.STAGING
    size = v.staging_size() if staging else v.full_size()
    trouble = f"; {facts.trouble.message}" if facts.trouble else ""
    paused = "; spec.paused halts the switch" if v.spec.paused else ""
    message = f"revision {candidate} has {facts.available} of {size} replicas available{trouble}{paused}"
    note = Note("WaitingForPods" if staging else "Prescaling", message)
    cause = facts.trouble or note
    return note, _on("Deployment", v.facts.owner.child(candidate), cause)


def _at_a_step(v: View) -> tuple[Note, Blocked | None]:
    """Which step of a canary is under way, and what it waits for."""
    candidate, name, canary = v.status.candidate or "", v.facts.owner.name, v.status.canary
    step, facts, goal = steps.current_step(v), v.facts.of(v.status.candidate), steps.goal_of(v)
    at = f"step {canary.step_index + 1} of {canary.step_count}" if canary and step else "after the last step"
    paused = "; spec.paused halts the steps" if v.spec.paused else ""
    if not steps.is_at_weight(v):
        trouble = f"; {facts.trouble.message}" if facts.trouble else ""
        message = (
            f"{at}: revision {candidate} has {facts.available} of {goal.candidate} replicas available for "
            f"{steps.weight_at(v)} % of requests{trouble}{paused}"
        )
        note = Note("ShiftingWeight", message)
        return note, _on("Deployment", v.facts.owner.child(candidate), facts.trouble or note)
    message = f"{at}: revision {candidate} gets {steps.weight_at(v)} % of requests"
    if v.spec.paused:
        note = Note("Paused", f"{message}{paused}")
    elif (due := steps.pause_due(v)) is not None:
        note = Note("CanaryPaused", f"{message} until {format_time(due)}")
    else:
        note = Note("CanaryPaused", f"{message} and waits for: kubectl taskservice promote {name}")
    return note, _on("TaskService", name, note)


def _coming_home(v: View) -> tuple[Note, Blocked | None]:
    """A canary is over, and what it comes home to is not large enough yet."""
    home = live_target(v) if v.facts.spread else v.status.stable
    facts, needed = v.facts.of(home), v.carrying_size(home or "")
    trouble = f" ({facts.trouble.message})" if facts.trouble else ""
    serving = "both sides serve" if v.facts.spread else f"{v.status.candidate} serves"
    message = (
        f"live traffic goes to revision {home} alone as soon as it has {needed} ready pods: "
        f"it has {facts.ready}{trouble}; until then {serving}"
    )
    note = Note("GrowingToCarryAll", message, warning=v.status.phase is Phase.RETURNING)
    return note, _on("Deployment", v.facts.owner.child(home or ""), note)


def _both_dead(v: View) -> tuple[Note, Blocked | None]:
    """The promoted side has lost every pod, and stable is no better."""
    candidate, stable = v.status.candidate or "", v.status.stable
    why = v.facts.of(candidate).trouble
    message = (
        f"revision {candidate} gets live traffic and has no ready pod, nor has {stable}, to which it could return"
        f"{f': {why.message}' if why else ''}; traffic goes to whichever has one first, "
        "and another revision may be released"
    )
    note = Note("NobodyServes", message, warning=True)
    return note, _on("Deployment", v.facts.owner.child(candidate), note)


def _waiting_for_clearance(v: View) -> tuple[Note, Blocked | None]:
    candidate, name = v.status.candidate, v.facts.owner.name
    verdict = v.pre_verdict()
    if verdict.state == "Running" and verdict.note:
        note = Note(verdict.note.reason, f"revision {candidate}: {verdict.note.message}")
        return note, _on("Service", v.facts.owner.preview, note)
    if v.spec.paused:
        note = Note("Paused", f"revision {candidate} waits because spec.paused is true")
    elif v.status.canary is not None:
        others = steps.others_with_pods(v)
        note = Note("WaitingForOthers", f"revision {candidate} waits until pods of {', '.join(others)} are gone")
        return note, _on("Deployment", v.facts.owner.child(others[0] if others else candidate or ""), note)
    elif (due := v.approval_due()) is not None:
        note = Note("AwaitingPromotion", f"revision {candidate} is promoted at {format_time(due)}")
    else:
        message = f"revision {candidate} waits for: kubectl taskservice promote {name}"
        note = Note("AwaitingPromotion", message)
    return note, _on("TaskService", name, note)


def _on(kind: str, name: str, note: Note) -> Blocked:
    return Blocked(kind, name, note)
