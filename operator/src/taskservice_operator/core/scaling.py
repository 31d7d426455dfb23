"""How many pods each revision has, and who says so: us (a fixed number) or its autoscaler (above a floor)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taskservice_operator.api.status import Phase, Size, Status
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
    if size is None or (v.status.phase is Phase.STABLE and v.wanted_revision == v.status.active):
        return replace(v.status, size=Size(declared, declared))
    if declared == size.declared:
        return v.status
    return replace(v.status, size=Size(size.active if v.is_superseded() else declared, declared))


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
    selected = v.facts.live_revision == revision and revision not in (v.status.active, v.status.candidate)
    if selected and scale.replicas is not None and scale.replicas < observed.replicas:
        # Whatever the status says: what the live Service selects is not scaled down under it.
        return Scale(observed.replicas)
    return scale


def _scale_by_role(v: View, revision: str) -> Scale:
    status, phase = v.status, v.status.phase
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


def _live(v: View, revision: str, fixed: int) -> Scale:
    floor = v.status.floor.replicas if v.status.floor else 0
    if v.autoscaling_of(revision) is not None:
        return Scale(None, floor)
    return Scale(max(fixed, floor))
