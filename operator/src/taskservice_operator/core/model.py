"""The values that cross the border of the core: a snapshot in, a plan out.  Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taskservice_operator.api.spec import Metric

Manifest = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class ObjectKey:
    """A namespaced object's address.  The namespace is always the TaskService's own."""

    api_version: str
    kind: str
    name: str

    @staticmethod
    def of(manifest: Manifest) -> ObjectKey:
        return ObjectKey(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Note:
    """Why, twice: a constant for programs and a sentence for people.  Goes to condition, Event, log and metric."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Measurement:
    """One finished measurement of one metric, as a provider reports it.

    ``verdict`` is ``Pass``, ``Fail`` or ``Error`` (the provider could not measure).  ``index`` counts from 0
    within (revision, stage, metric); ``message`` is one sentence that names what was seen.
    """

    revision: str
    stage: str
    metric: str
    index: int
    verdict: str
    message: str
    finished_at: datetime


@dataclass(frozen=True, order=True)
class VaultRequest:
    """One secret asked of Vault on behalf of one ServiceAccount: whoever asks for the same shares the answer."""

    namespace: str
    service_account: str
    role: str
    mount: str
    path: str

    def __str__(self) -> str:
        return f"{self.mount}/{self.path}"


@dataclass(frozen=True)
class VaultContent:
    """What a secret holds: the latest version's keys and values, these in base64 as a Kubernetes Secret has them."""

    data: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class VaultTrouble:
    """Why a secret could not be read: ``cause`` is one of ``core.vaulted.CAUSES``, ``detail`` a few words or none.

    Neither ever holds a value or a token, nor anything that differs from one attempt to the next.
    """

    cause: str
    detail: str = ""


VaultAnswer = VaultContent | VaultTrouble


@dataclass(frozen=True)
class Snapshot:
    """Everything one decision may know.

    ``taskservice``: the whole resource as the API server gave it (metadata, spec, status).
    ``objects``: owned objects by address, as observed (Deployments, Services, HPAs, copies, ControllerRevisions).
    ``pods``: the owned pods; ``endpoint_slices``: those of our Services.
    ``sources``: contents of referenced ConfigMaps and Secrets (``("ConfigMap"|"Secret", name)`` → its ``data``,
    Secret values still base64), None where the object does not exist.
    ``vault``: what became of asking Vault; without an entry, what is asked for is not answered yet.
    ``foreign``: addresses we need that somebody else's object occupies.
    ``measurements``: finished measurements that the status may not hold yet.
    ``served``: kinds, of those that not every cluster has, that this one has.
    """

    taskservice: Manifest
    objects: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    endpoint_slices: tuple[Manifest, ...] = ()
    sources: Mapping[tuple[str, str], Mapping[str, str] | None] = field(default_factory=dict)
    vault: Mapping[VaultRequest, VaultAnswer] = field(default_factory=dict)
    foreign: frozenset[ObjectKey] = frozenset()
    measurements: tuple[Measurement, ...] = ()
    served: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Create:
    """Make an object that was not seen.  If one of that name exists and is not ours, the writer refuses."""

    manifest: Manifest


@dataclass(frozen=True)
class Apply:
    """Server-side apply over an object of ours."""

    manifest: Manifest


@dataclass(frozen=True)
class Delete:
    """Delete exactly the object that was seen: the UID is a precondition."""

    key: ObjectKey
    uid: str


@dataclass(frozen=True)
class WriteStatus:
    """Write the plan's status now, before the actions that follow: intent first, then what cannot be undone."""


Action = Create | Apply | Delete | WriteStatus


@dataclass(frozen=True)
class Measure:
    """Ask a provider for one measurement against ``service`` (its ClusterIP and port)."""

    metric: Metric
    revision: str
    stage: str
    index: int
    service: str
    cluster_ip: str
    port: int


@dataclass(frozen=True)
class Plan:
    """What to do now, in this order; stop at the first failure: every prefix is safe.

    ``status`` is the whole ``.status`` to be; it is written last (and early where ``WriteStatus`` stands) and
    only if it differs.  ``events`` are changes worth an Event.  ``requeue_after`` in seconds, None = wait for events.
    """

    actions: tuple[Action, ...]
    status: Manifest
    measures: tuple[Measure, ...] = ()
    events: tuple[Note, ...] = ()
    requeue_after: float | None = None

    def is_empty(self, observed_status: Manifest | None) -> bool:
        """True when carrying out the plan would change nothing."""
        return (
            not any(not isinstance(action, WriteStatus) for action in self.actions)
            and not self.measures
            and (dict(self.status) == dict(observed_status or {}))
        )
