"""Where the two Services point: the one place where the switch is thrown."""

from __future__ import annotations

from taskservice_operator.api.status import Phase
from taskservice_operator.core.view import SWITCHED, View


def live_target(v: View) -> str | None:
    """The revision that live traffic should go to now; while it is spread, the one it is spread from or comes home to.

    Whatever the rollout says, traffic is not moved from a revision that has ready pods to one that has none: the
    move waits until there is somebody to serve it.  Nor can it go to a revision that is gone.  After a canary the
    stable side may be small: until it can carry the load, the candidate does.
    """
    target, selected = _intended(v), v.facts.live_revision
    if target is None or selected == target:
        return target
    if is_gone(v, target):
        return selected or (v.status.candidate if v.facts.spread else target)
    if selected is None:
        return target
    serves, would_serve = v.facts.of(selected).ready > 0, v.facts.of(target).ready > 0
    if serves and is_too_small(v, target):
        return selected
    return selected if serves and not would_serve and not _is_empty_by_request(v, target) else target


def is_spread(v: View) -> bool:
    """Live traffic should go to every revision that has pods.

    It is so during a canary's steps, and after them until the side that it comes home to can carry it alone; at once
    if nobody else serves.
    """
    if v.status.phase is Phase.STEPPING:
        return v.facts.spread or v.facts.of(v.status.candidate).ready > 0 or v.active_size() == 0
    target = _intended(v)
    if not v.facts.spread or target is None:
        return False
    others = any(facts.ready for facts in v.facts.revisions.values() if facts.revision != target)
    return others and (is_gone(v, target) or v.facts.of(target).ready < v.carrying_size(target))


def who_serves(v: View) -> str | None:
    """Of the revisions besides stable and the candidate, the one with most ready pods."""
    others = [f for r, f in sorted(v.facts.revisions.items()) if r not in (v.status.stable, v.status.candidate)]
    best = max(others, key=lambda facts: facts.ready, default=None)
    return best.revision if best is not None and best.ready and best.record is not None else None


def is_too_small(v: View, target: str) -> bool:
    """A canary returns to a stable side that has too few ready pods for all traffic."""
    returns = v.status.canary is not None and v.status.phase is Phase.RETURNING
    return returns and v.facts.of(target).ready < v.carrying_size(target)


def preview_target(v: View) -> str | None:
    """The candidate while there is one, else whatever is live, so that the preview address always answers."""
    return v.status.candidate or live_target(v)


def is_held(v: View) -> bool:
    """Traffic should return to stable and cannot, as nobody there could serve it: only pods or people can mend that.

    A stable side that grows again after a canary is given the deadline's time for it.
    """
    stable = v.status.stable
    if v.status.phase is not Phase.RETURNING or stable is None:
        return False
    if v.status.canary is not None and not is_gone(v, stable):
        return v.clock_spent() >= v.deadline() and (is_spread(v) or live_target(v) != stable)
    return live_target(v) != stable


def is_gone(v: View, revision: str) -> bool:
    """Nothing is left from which a revision could be made again: no record, no Deployment, and no spec to begin it."""
    facts = v.facts.of(revision)
    begun = revision == v.wanted_revision and revision in (v.status.candidate, v.status.active)
    return facts.record is None and not facts.ports and not begun


def is_dark(v: View) -> bool:
    """Traffic has moved, and neither side has a ready pod: only pods or people can mend that."""
    status, facts = v.status, v.facts
    if status.phase not in SWITCHED or v.is_first or facts.live_revision != status.candidate or v.full_size() == 0:
        return False
    return facts.of(status.candidate).ready == 0 and facts.of(status.stable).ready == 0


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
