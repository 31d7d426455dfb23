"""Where the two Services point: the one place where the switch is thrown."""

from __future__ import annotations

from taskservice_operator.api.status import Phase
from taskservice_operator.core.view import SWITCHED, View


def live_target(v: View) -> str | None:
    """The revision that live traffic should go to now.

    Whatever the rollout says, traffic is not moved from a revision that has ready pods to one that has none: the
    move waits until there is somebody to serve it.  Nor can it go to a revision that is gone.
    """
    target, selected = _intended(v), v.facts.live_revision
    if target is None or selected in (None, target):
        return target
    if is_gone(v, target):
        return selected
    serves, would_serve = v.facts.of(selected).ready > 0, v.facts.of(target).ready > 0
    return selected if serves and not would_serve and not _is_empty_by_request(v, target) else target


def preview_target(v: View) -> str | None:
    """The candidate while there is one, else whatever is live, so that the preview address always answers."""
    return v.status.candidate or live_target(v)


def is_held(v: View) -> bool:
    """Traffic should return to stable and cannot, as nobody there could serve it: only pods or people can mend that."""
    return v.status.phase is Phase.RETURNING and live_target(v) != v.status.stable


def is_gone(v: View, revision: str) -> bool:
    """Nothing is left from which a revision could be made again: no record, no Deployment, and no spec to begin it."""
    facts = v.facts.of(revision)
    begun = revision == v.wanted_revision and revision in (v.status.candidate, v.status.active)
    return facts.record is None and not facts.ports and not begun


def _intended(v: View) -> str | None:
    if v.status.phase in SWITCHED:
        return v.status.candidate
    if v.status.phase is Phase.RETURNING:
        return v.status.stable
    return v.status.active or v.status.candidate


def _is_empty_by_request(v: View, revision: str) -> bool:
    """Somebody asked for zero replicas: then none being ready is what was wanted."""
    if v.autoscaling_of(revision) is not None:
        return False
    if revision == v.status.candidate and v.status.phase in SWITCHED:
        return v.full_size() == 0
    return bool(v.status.size and v.status.size.active == 0 and v.status.active is not None)
