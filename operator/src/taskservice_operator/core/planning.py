"""From observed and desired objects to actions, in an order of which every prefix is safe.

Create before shift, shift before scale-down, delete last; the intent to shift is in the status before the shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_operator.api.status import Phase
from taskservice_operator.core.model import Action, Apply, Create, Delete, Manifest, ObjectKey, Snapshot, WriteStatus
from taskservice_operator.core.view import SWITCHED, View
from taskservice_operator.render.difference import APPLIED, says, stamped
from taskservice_operator.render.identity import Owner, revision_of

_RANK = {
    "ControllerRevision": 0,
    "ConfigMap": 1,
    "Secret": 1,
    "Deployment": 2,
    "Service": 4,
    "HorizontalPodAutoscaler": 5,
    "PodDisruptionBudget": 6,
    "PrometheusRule": 6,
}
_SCALE_DOWN_RANK = 7
_DELETE_RANK = 8


def plan_actions(
    v: View, snapshot: Snapshot, desired: Mapping[ObjectKey, Manifest], *, status_changes: bool
) -> tuple[Action, ...]:
    """The writes that lead from what was observed to what is desired; none when they agree.

    Objects of ours that are not desired are deleted, except those of kept revisions that cannot be rendered (their
    record was lost): those are left alone rather than guessed at.
    """
    ranked: list[tuple[int, str, Action]] = []
    for key, manifest in desired.items():
        if key in snapshot.foreign:
            continue
        observed, wanted = snapshot.objects.get(key), stamped(manifest)
        if observed is None:
            ranked.append((_creation_rank(v, key), str(key), Create(wanted)))
        elif not _is_current(v.facts.owner, observed, wanted):
            rank = _SCALE_DOWN_RANK if _shrinks(observed, wanted) else _RANK[key.kind]
            ranked.append((rank, str(key), Apply(wanted)))
    ranked += [
        (_DELETE_RANK, str(key), Delete(key, observed["metadata"]["uid"]))
        for key, observed in snapshot.objects.items()
        if key not in desired and not _must_stay(v, key, observed)
    ]
    ranked.sort(key=lambda entry: entry[:2])
    actions = [action for _, _, action in ranked]
    if status_changes and ranked:
        # Creating is harmless without a record of intent; everything that moves traffic or removes pods is not.
        first = next((i for i, (rank, _, _) in enumerate(ranked) if rank >= _RANK["Service"]), None)
        if first is not None:
            actions.insert(first, WriteStatus())
    return tuple(actions)


def _creation_rank(v: View, key: ObjectKey) -> int:
    """Shared objects first: their names are the likeliest to be taken, which is best found out before all else."""
    if key.kind in ("Service", "PodDisruptionBudget") and v.status.phase not in (Phase.STEPPING, *SWITCHED):
        return -1
    return _RANK[key.kind]


def _is_current(owner: Owner, observed: Manifest, wanted: Manifest) -> bool:
    annotations: Mapping[str, Any] = observed["metadata"].get("annotations") or {}
    same = annotations.get(APPLIED) == wanted["metadata"]["annotations"][APPLIED]
    return same and owner.owns(observed) and says(observed, wanted)


def _shrinks(observed: Manifest, wanted: Manifest) -> bool:
    if wanted["kind"] != "Deployment" or wanted["spec"].get("replicas") is None:
        return False
    return wanted["spec"]["replicas"] < observed["spec"].get("replicas", 1)


def _must_stay(v: View, key: ObjectKey, observed: Manifest) -> bool:
    if observed["metadata"].get("deletionTimestamp") or not v.facts.owner.owns(observed):
        return True
    revision = revision_of(observed)
    if key.kind == "Service" or key.kind == "PodDisruptionBudget":
        return True  # never desired away: without a target they keep the one they have
    if revision is None:
        return False  # made of spec.slo alone, which says by itself whether they are wanted
    status = v.status
    roles = {status.active, status.stable, status.candidate, v.facts.live_revision}
    roles |= {entry.revision for entry in status.retiring if v.now < entry.scale_down_at}
    unknown = v.facts.of(revision).record is None
    return revision in roles and (unknown or key.kind != "HorizontalPodAutoscaler")
