"""How many pods each revision has, and who says so: us (a fixed number) or its autoscaler (above a floor)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taskservice_operator.api.status import Phase, Size, Status
from taskservice_operator.core import steps
from taskservice_operator.core.traffic import live_target
from taskservice_operator.core.view import SWITCHED, View

SERVING_SINCE_SWITCH = frozenset({*SWITCHED, Phase.RETURNING})


@dataclass(frozen=True)
class Scale:
    """``replicas``: the fixed number, or None where an autoscaler decides, with at least ``floor``."""

    replicas: int | None
    floor: int = 0


def take_in_size(v: View) -> Status:
    """Record what ``spec.replicas`` means for the live side.

    A number that changes together with the template belongs to the new revision alone; one that changes on its
    own (``kubectl scale``) is for the live side at once, rollout or not (peers: argo-rollouts issue 4552).
    """
    declared, size = v.spec.replicas, v.status.size
    if v.is_unreadable:
        return v.status
    if size is None or (v.status.phase is Phase.STABLE and v.wanted_revision == v.status.active):
        return replace(v.status, size=Size(declared, declared))
    if declared == size.declared:
        return v.status
    if not v.is_same_shape():
        return replace(v.status, size=Size(size.active, declared))
    floor = v.status.floor
    pending = floor is not None and floor.until is None and v.status.phase in SWITCHED
    floor = replace(floor, replicas=declared) if floor and pending else floor
    return replace(v.status, size=Size(declared, declared), floor=floor)


def expire_floor(v: View) -> Status:
    """Forget the prescaling floor when its time is over."""
    floor = v.status.floor
    if floor is not None and floor.until is not None and v.now >= floor.until:
        return replace(v.status, floor=None)
    return v.status


def scale_of(v: View, revision: str) -> Scale:
    """The scale of one revision in the state that ``v`` shows."""
    scale = _scale_by_role(v, revision)
    observed = v.facts.of(revision)
    if v.facts.spread and v.status.phase is not Phase.STEPPING and revision not in (v.status.active, v.status.stable):
        # What live traffic reaches keeps its pods until it is elsewhere, and nobody else may come to be reached.
        return scale if scale.replicas is None or v.status.phase in SWITCHED else Scale(observed.replicas)
    selected = revision in (v.facts.live_revision, live_target(v)) and revision not in (
        v.status.active,
        v.status.candidate,
    )
    abandoned = v.is_first and live_target(v) != revision
    if selected and not abandoned and scale.replicas is not None and scale.replicas < observed.replicas:
        # Whatever the status says: what the live Service selects is not scaled down under it.
        return Scale(observed.replicas)
    return scale


def _scale_by_role(v: View, revision: str) -> Scale:
    status, phase = v.status, v.status.phase
    if status.canary is not None and (by_steps := _scale_by_steps(v, revision)) is not None:
        return by_steps
    if revision == status.candidate:
        if phase in SWITCHED:
            return _live(v, revision, v.full_size())
        if phase is Phase.RETURNING:
            return Scale(v.facts.of(revision).replicas)
        return Scale(v.full_size() if phase is Phase.PRESCALING else v.staging_size())
    if revision == status.active or (revision == status.stable and phase in SERVING_SINCE_SWITCH):
        return _live(v, revision, status.size.active if status.size else v.spec.replicas)
    for entry in status.retiring:
        if entry.revision == revision and v.now < entry.scale_down_at:
            return Scale(entry.replicas)
    return Scale(0)


def _scale_by_steps(v: View, revision: str) -> Scale | None:
    """The scale of a canary's two sides; None where it is as for every rollout."""
    if v.status.phase in (Phase.STAGING, Phase.VERIFYING, Phase.STEPPING):
        sizes = steps.sizes_of(v)
        if revision == v.status.candidate:
            return Scale(sizes.candidate)
        if revision == v.status.stable:
            held = v.facts.spread and v.status.phase is not Phase.STEPPING
            return Scale(v.active_size() if held else sizes.stable)
    if revision == v.status.stable and v.status.phase in SWITCHED:
        return Scale(v.facts.of(revision).replicas)
    return None


def _live(v: View, revision: str, fixed: int) -> Scale:
    floor = 0
    if v.status.floor and (v.status.floor.until or v.status.floor.revision == revision):
        floor = v.status.floor.replicas
    if v.autoscaling_of(revision) is not None:
        return Scale(None, floor)
    return Scale(max(fixed, floor))
