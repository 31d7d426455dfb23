"""What a snapshot means: the only reader of raw observed objects in the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.core.model import Manifest, Note, ObjectKey, Snapshot
from taskservice_operator.core.trouble import diagnose
from taskservice_operator.render.identity import Owner, revision_of
from taskservice_operator.render.record import Record, parse_record
from taskservice_operator.render.service import Ports

DEPLOYMENT = ("apps/v1", "Deployment")
RECORD = ("apps/v1", "ControllerRevision")
AUTOSCALER = ("autoscaling/v2", "HorizontalPodAutoscaler")
SERVICE = ("v1", "Service")


@dataclass(frozen=True)
class RevisionFacts:
    """One revision as observed.

    ``replicas``: what its Deployment asks for (0 when there is none).  ``ready``: pods ready and not ending.
    ``available``: what both the Deployment controller (at the current generation) and the pods themselves say.
    ``colour``, ``ports``, ``autoscaling``: as its objects tell, for when its record was lost.
    """

    revision: str
    record: Record | None = None
    deployed: bool = False
    replicas: int = 0
    ready: int = 0
    available: int = 0
    pods: int = 0
    pod_names: frozenset[str] = frozenset()
    colour: str | None = None
    ports: Ports = ()
    autoscaling: Mapping[str, Any] | None = None
    trouble: Note | None = None


@dataclass(frozen=True)
class Facts:
    """The snapshot, understood.

    ``live_revision``: what the live Service selects; None where there is none, and while it is ``spread``: selects
    every revision.  ``routed``: names of pods that its ready endpoints point at.
    """

    owner: Owner
    revisions: Mapping[str, RevisionFacts]
    live_revision: str | None
    preview_revision: str | None
    routed: frozenset[str]
    spread: bool
    live_ip: str | None
    preview_ip: str | None

    def of(self, revision: str | None) -> RevisionFacts:
        """Facts of ``revision``; of one that left no trace, all zero."""
        if revision is None:
            return RevisionFacts("")
        return self.revisions.get(revision) or RevisionFacts(revision)

    def routes_to(self, revision: str | None, at_least: int) -> bool:
        """True when live traffic goes to ``revision`` alone: selector, and every ready endpoint, at the needed size."""
        if revision is None or self.live_revision != revision:
            return False
        return self.routed <= self.of(revision).pod_names and len(self.routed) >= at_least


def read_facts(snapshot: Snapshot) -> Facts:
    """Interpret ``snapshot``."""
    owner = Owner.of(snapshot.taskservice)
    pods: dict[str, list[Manifest]] = {}
    for pod in snapshot.pods:
        pods.setdefault(revision_of(pod) or "", []).append(pod)
    deployments, records = _by_revision(snapshot, *DEPLOYMENT), _by_revision(snapshot, *RECORD)
    autoscalers = _by_revision(snapshot, *AUTOSCALER)
    live, preview = (snapshot.objects.get(ObjectKey(*SERVICE, name)) for name in (owner.name, owner.preview))
    return Facts(
        owner=owner,
        revisions={
            revision: _revision_facts(
                revision,
                deployments.get(revision),
                records.get(revision),
                autoscalers.get(revision),
                pods.get(revision, []),
            )
            for revision in sorted({*deployments, *records, *pods} - {""})
        },
        live_revision=_selected(live),
        preview_revision=_selected(preview),
        routed=_ready_targets(snapshot.endpoint_slices, owner.name),
        spread=((live or {}).get("spec") or {}).get("selector") == owner.selector(),
        live_ip=_cluster_ip(live),
        preview_ip=_cluster_ip(preview),
    )


def _by_revision(snapshot: Snapshot, api_version: str, kind: str) -> dict[str, Manifest]:
    return {
        revision: manifest
        for key, manifest in snapshot.objects.items()
        if key.kind == kind and key.api_version == api_version and (revision := revision_of(manifest))
    }


def _revision_facts(
    revision: str,
    deployment: Manifest | None,
    record: Manifest | None,
    autoscaler: Manifest | None,
    pods: list[Manifest],
) -> RevisionFacts:
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    ready = sum(_is_ready(pod) for pod in living)
    available, replicas = 0, 0
    if deployment is not None:
        replicas = deployment["spec"].get("replicas", 1)
        status = deployment.get("status") or {}
        current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        available = min(status.get("availableReplicas", 0), ready) if current else 0
    return RevisionFacts(
        revision=revision,
        record=parse_record(revision, record) if record else None,
        deployed=deployment is not None,
        replicas=replicas,
        ready=ready,
        available=available,
        pods=len(living),
        pod_names=frozenset(pod["metadata"]["name"] for pod in living),
        colour=((deployment or {}).get("metadata", {}).get("labels") or {}).get(names.LABEL_COLOUR),
        ports=_ports(deployment),
        autoscaling=autoscaler["spec"] if autoscaler else None,
        trouble=diagnose(deployment, living),
    )


def _ports(deployment: Manifest | None) -> Ports:
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        ports = {port.get("name"): port["containerPort"] for port in container.get("ports") or ()}
        if main := ports.pop("http", None):
            further = ((name, number) for name, number in ports.items() if name and name != "management")
            return (("http", main), *further)
    return ()


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _selected(service: Manifest | None) -> str | None:
    return ((service or {}).get("spec", {}).get("selector") or {}).get(names.LABEL_REVISION)


def _cluster_ip(service: Manifest | None) -> str | None:
    address = (service or {}).get("spec", {}).get("clusterIP")
    return None if address in (None, "", "None") else address


def _ready_targets(slices: tuple[Manifest, ...], service: str) -> frozenset[str]:
    targets: set[str] = set()
    for endpoint_slice in slices:
        labels: Mapping[str, Any] = endpoint_slice["metadata"].get("labels") or {}
        if labels.get("kubernetes.io/service-name") != service:
            continue
        for endpoint in endpoint_slice.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") and endpoint.get("targetRef"):
                targets.add(endpoint["targetRef"]["name"])
    return frozenset(targets)
