"""Every object that should exist, in the state a view shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.core.model import ObjectKey, Snapshot
from taskservice_operator.core.scaling import Scale, scale_of
from taskservice_operator.core.traffic import is_spread, live_target, preview_target
from taskservice_operator.core.view import View
from taskservice_operator.render.autoscaler import build_autoscaler
from taskservice_operator.render.copies import build_config_copy, build_secret_copy
from taskservice_operator.render.deployment import build_deployment, render_once
from taskservice_operator.render.disruption import build_disruption_budget
from taskservice_operator.render.objectives import PROMETHEUS_RULE, build_objectives
from taskservice_operator.render.record import COLOURS, Record, build_record
from taskservice_operator.render.service import Ports, build_service, ports_of

Manifest = Mapping[str, Any]


def kept_revisions(v: View) -> tuple[str, ...]:
    """Revisions whose objects stay: those with a role, and others up to ``revisionHistoryLimit``.

    Of the others those that were live once come first, then the newest: failures must not push out the way back.
    """
    status = v.status
    roles = {status.active, status.stable, status.candidate, v.failed_revision, v.wanted_revision}
    roles |= {v.facts.live_revision, live_target(v)}
    roles |= {entry.revision for entry in status.retiring}
    recorded = [facts for facts in v.facts.revisions.values() if facts.record is not None]
    recorded.sort(
        key=lambda facts: (v.was_promoted(facts.revision), facts.record.number if facts.record else 0), reverse=True
    )
    others = [facts.revision for facts in recorded if facts.revision not in roles]
    kept = {*others[: v.spec.rollout.revision_history_limit], *roles} - {None}
    return tuple(sorted(revision for revision in kept if revision))


def desired_objects(v: View, snapshot: Snapshot) -> dict[ObjectKey, Manifest]:
    """All objects wanted, by address.  A revision without a record (lost, or not begun) contributes nothing new."""
    owner = v.facts.owner
    manifests: list[Manifest] = []
    records = {revision: record for revision in kept_revisions(v) if (record := record_of(v, snapshot, revision))}
    for revision, record in records.items():
        scale = scale_of(v, revision)
        manifests += [build_record(owner, record), *_copies(v, snapshot, record)]
        if v.facts.of(revision).deployed or revision in (v.status.candidate, v.status.active, v.status.stable):
            manifests.append(build_deployment(owner, record, _replicas(v, snapshot, revision, scale)))
        autoscaling = v.autoscaling_of(revision)
        if scale.replicas is None and autoscaling is not None:
            manifests.append(build_autoscaler(owner, record, autoscaling, scale.floor))
    spread = is_spread(v)
    for name, target in ((owner.name, live_target(v)), (owner.preview, preview_target(v))):
        if target is not None and (ports := _ports_of(v, records.get(target), target)):
            selected = None if spread and name == owner.name else target
            manifests.append(build_service(owner, name, selected, ports))
    if (live := live_target(v)) is not None:
        manifests.append(build_disruption_budget(owner, None if spread else live))
    if v.spec.slo is not None:
        manifests += build_objectives(owner, v.spec.slo, prometheus_rules=PROMETHEUS_RULE[1] in snapshot.served)
    return {ObjectKey.of(manifest): manifest for manifest in manifests}


def _ports_of(v: View, record: Record | None, revision: str) -> Ports:
    """A revision's ports; from its Deployment when its record was lost, as traffic must be able to return to it.

    Whether the management port was among them cannot be told from a Deployment, and it is then left out.
    """
    return ports_of(record.template) if record else v.facts.of(revision).ports


def record_of(v: View, snapshot: Snapshot, revision: str) -> Record | None:
    """The stored record of a revision; for the one being begun, or the wanted one that lost it, the record to store."""
    stored = v.facts.of(revision).record
    if stored is not None:
        return stored
    if v.wanted is None or revision != v.wanted.revision or revision not in (v.status.candidate, v.status.active):
        return None
    numbers = [facts.record.number for facts in v.facts.revisions.values() if facts.record]
    record = Record(
        revision=revision,
        template=v.wanted.template,
        autoscaling=v.wanted.autoscaling,
        sources=v.wanted.sources,
        colour=v.facts.of(revision).colour or _other_colour(v),
        number=max(numbers, default=0) + 1,
    )
    owner = v.facts.owner
    return render_once(owner, record, snapshot.objects.get(ObjectKey("apps/v1", "Deployment", owner.child(revision))))


def _other_colour(v: View) -> str:
    serving = v.facts.of(v.status.active).record
    return COLOURS[1 - COLOURS.index(serving.colour)] if serving else COLOURS[0]


def _copies(v: View, snapshot: Snapshot, record: Record) -> list[Manifest]:
    """Copies of the wanted revision from their sources; those of others can only be kept as they are."""
    owner, built = v.facts.owner, []
    for source in record.sources:
        kind = "Secret" if source.secret else "ConfigMap"
        if v.wanted is not None and record.revision == v.wanted.revision:
            build = build_secret_copy if source.secret else build_config_copy
            built.append(build(owner, record.revision, source.name, v.wanted.contents[source.name]))
        elif existing := snapshot.objects.get(ObjectKey("v1", kind, owner.copy(record.revision, source.name))):
            data = existing.get("data") or {}
            build = build_secret_copy if source.secret else build_config_copy
            built.append(build(owner, record.revision, source.name, data))
    return built


def _replicas(v: View, snapshot: Snapshot, revision: str, scale: Scale) -> int | None:
    """The number to write.

    Under an autoscaler the field is its own.  But a field that only we have set would vanish with our claim (and
    default to 1), so until somebody else has written it we go on saying what it already says.
    """
    if scale.replicas is not None:
        return scale.replicas
    observed = snapshot.objects.get(ObjectKey("apps/v1", "Deployment", v.facts.owner.child(revision)))
    autoscaling = v.autoscaling_of(revision)
    least = max(autoscaling.min_replicas if autoscaling else 0, scale.floor, 1)
    if observed is None:
        # Somebody deleted it: bring back as many as there were, not as few as there may be.
        known = int((v.taskservice.get("status") or {}).get("replicas") or 0) if revision == live_target(v) else 0
        return max(least, min(known, autoscaling.max_replicas if autoscaling else known))
    if observed["spec"].get("replicas") == 0:
        return least  # an autoscaler leaves a Deployment at zero alone
    return None if _written_by_others(observed) else observed["spec"].get("replicas")


def _written_by_others(deployment: Manifest) -> bool:
    for entry in deployment["metadata"].get("managedFields") or ():
        claims = ((entry.get("fieldsV1") or {}).get("f:spec") or {}).get("f:replicas")
        if claims is not None and entry.get("manager") != names.FIELD_MANAGER:
            return True
    return False
