"""A canary's questions: which step it is at, how many pods each side should have, whether a weight is reached.

While a canary is under way the live Service selects the pods of every revision (it is *spread*), so only the stable
side and the candidate may have any.  Until then, and as soon as it ends, it selects one revision, as at all times else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from taskservice_operator.api import names
from taskservice_operator.api.spec import CANARY, Canary, Step
from taskservice_operator.api.status import CanaryState, Phase, Rollout, Status
from taskservice_operator.core import weights
from taskservice_operator.core.view import SWITCHED, View
from taskservice_operator.core.weights import Split
from taskservice_operator.render.identity import digest


def begin(v: View, status: Status, candidate: str, rollout: Rollout) -> CanaryState | None:
    """The state in which a rollout by steps begins, or None when this one goes at once.

    A first revision has nothing to share with; what was proven before and a request to go back are not tried again.
    """
    if v.spec.rollout.strategy != CANARY or status.stable is None or rollout.fast or rollout.rollback:
        return None
    if v.autoscaling_of(status.active) or v.autoscaling_of(candidate):
        return None  # an autoscaler would change the numbers that make a weight
    return CanaryState(plan_of(v.spec.rollout.canary), len(v.spec.rollout.canary.steps))


def plan_of(canary: Canary) -> str:
    """What tells one list of steps from another."""
    return digest([[step.weight, step.seconds] for step in canary.steps])


def has_other_strategy(v: View) -> bool:
    """The rollout under way goes by steps and the spec asks for none, or the other way round."""
    if v.status.rollout is None or v.status.candidate is None or v.is_unreadable:
        return False
    return (begin(v, v.status, v.status.candidate, v.status.rollout) is None) != (v.status.canary is None)


def has_other_steps(v: View) -> bool:
    return v.status.canary is not None and v.status.canary.plan != plan_of(v.spec.rollout.canary)


def current_step(v: View) -> Step | None:
    """The step under way; None when there is none, or all are done."""
    canary, steps = v.status.canary, v.spec.rollout.canary.steps
    return steps[canary.step_index] if canary and canary.step_index < len(steps) else None


def are_over(v: View) -> bool:
    return v.status.canary is not None and current_step(v) is None


def weight_at(v: View) -> int:
    """The candidate's weight that the step under way asks for, in percent; 100 after the last."""
    canary = v.status.canary
    if canary is None or v.status.phase not in (Phase.STEPPING, *SWITCHED):
        return 0
    if are_over(v) or v.status.phase in SWITCHED:
        return weights.WHOLE
    done = v.spec.rollout.canary.steps[: canary.step_index + 1]
    return next((step.weight for step in reversed(done) if step.weight is not None), 0)


def goal_of(v: View) -> Split:
    """The pods that the step under way asks for.

    After the last step the candidate needs all it will have; stable then keeps what there is room for.
    """
    size, limit = v.active_size(), v.limits()
    if not are_over(v):
        return weights.split(size, weight_at(v), limit.surge)
    full = v.full_size()
    room = max(max(size, full) + limit.surge - full, 0)
    return Split(full, min(v.facts.of(v.status.stable).replicas, room))


def sizes_of(v: View) -> Split:
    """The pods that both sides should be asked for now: the next stretch of the way to the goal."""
    candidate, stable = v.facts.of(v.status.candidate), v.facts.of(v.status.stable)
    if v.status.phase is not Phase.STEPPING:
        size = v.staging_size()
        return Split(size, max(min(v.active_size(), v.active_size() + v.limits().surge - size), 0))
    asked, ready = Split(candidate.replicas, stable.replicas), Split(candidate.ready, stable.ready)
    if not v.facts.spread:
        return asked  # until the live Service selects both, nobody knows who serves
    size = max(v.active_size(), v.full_size()) if are_over(v) else v.active_size()
    return weights.move(goal_of(v), asked, _serving(v), ready, size, v.limits())


def _serving(v: View) -> Split:
    """Pods that get requests and will go on doing so: shown by endpoints, available, and not too many already."""
    candidate, stable = (
        min(len(v.facts.routed & facts.pod_names), facts.available, facts.replicas)
        for facts in (v.facts.of(v.status.candidate), v.facts.of(v.status.stable))
    )
    return Split(candidate, stable)


def is_at_weight(v: View) -> bool:
    """The step's pods are ready, endpoints show them, and nobody else's; after the last step, the candidate is whole.

    Pods that stable lacks do not hold a rising weight up, nor does their return.
    """
    if are_over(v):
        return v.is_available(v.status.candidate, v.full_size())
    goal, serving = goal_of(v), _serving(v)
    asked = Split(v.facts.of(v.status.candidate).replicas, v.facts.of(v.status.stable).replicas)
    if not v.facts.spread or asked != goal or serving.candidate != goal.candidate:
        return False
    shown = len(v.facts.routed & v.facts.of(v.status.stable).pod_names)
    others = v.facts.routed - v.facts.of(v.status.stable).pod_names - v.facts.of(v.status.candidate).pod_names
    return not others and min(goal.stable, 1) <= shown <= goal.stable


def others_with_pods(v: View) -> tuple[str, ...]:
    """Revisions besides stable and candidate that still have pods, which a Service that is spread would select."""
    sides = (v.status.stable, v.status.candidate)
    return tuple(r for r, facts in sorted(v.facts.revisions.items()) if r not in sides and (facts.pods or facts.ready))


def pause_due(v: View) -> datetime | None:
    """When the pause under way ends by itself."""
    canary, step = v.status.canary, current_step(v)
    if canary is None or canary.since is None or step is None or step.seconds is None:
        return None
    return canary.since + timedelta(seconds=step.seconds)


def is_step_done(v: View) -> bool:
    step = current_step(v)
    if step is None or not is_at_weight(v):
        return False
    due = pause_due(v)
    return not step.is_pause or v.is_asked(names.VERB_PROMOTE, v.status.candidate) or (due is not None and v.now >= due)


def with_weights(v: View) -> Status:
    """The status with the weights as they are now."""
    canary = v.status.canary
    if canary is None:
        return v.status
    candidate = len(v.facts.routed & v.facts.of(v.status.candidate).pod_names)
    observed = weights.observed_weight(candidate, len(v.facts.routed) - candidate)
    return replace(v.status, canary=replace(canary, desired_weight=weight_at(v), observed_weight=observed))
