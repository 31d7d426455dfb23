"""A cluster in memory: the port, a clock that only moves when told, and failures on demand.

For simulations and tests.  Deterministic: no real clock, no randomness, no I/O.  In short::

    cluster = MemoryCluster(datetime(2026, 1, 1, tzinfo=UTC))
    ref = cluster.create_taskservice({"metadata": {"name": "demo"}, "spec": {"image": "demo:v1"}})
    cluster.script("demo:v2", CRASHES)          # by image or by revision
    while ...:
        plan = decide(cluster.snapshot(ref), cluster.now)
        for action in plan.actions: cluster.perform(ref, action, plan.status)
        cluster.record_status(ref, plan.status)
        cluster.tick(1)                         # Deployments, pods, endpoints, autoscalers, garbage collector

What is played by ``tick`` is in ``memory_world``; how apply merges is in ``memory_apply``.  Objects handed out are
the stored ones and must not be changed: every write puts a new object in place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.status import format_time
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.errors import ClusterError, Collision, Conflict, Invalid, NotFound
from taskservice_operator.cluster.kinds import controller_uid, owner_name
from taskservice_operator.cluster.memory_apply import apply_manifest, merge_patch
from taskservice_operator.cluster.memory_world import READY, Behaviour, World
from taskservice_operator.cluster.port import Manifest, Ref, referenced_sources
from taskservice_operator.core.model import Action, Apply, Create, Delete, Note, ObjectKey, Snapshot, WriteStatus
from taskservice_operator.render.difference import says

Address = tuple[str, str, str]
"""(kind, namespace, name)"""


class Crashed(Exception):
    """The operator process was killed here; nothing that follows in its plan happens."""


@dataclass(frozen=True)
class Write:
    """One write request.  ``number`` counts from 1; ``changed`` is False when it left the object as it was."""

    number: int
    verb: str
    kind: str
    name: str
    at: datetime
    changed: bool


class MemoryCluster:
    """Objects of one imaginary cluster, the :class:`~port.ClusterPort` to them, and the hands that move time.

    ``writes``: every write through the port.  ``events``: every Event.  ``now``: the time.
    ``served``: optional kinds that this cluster has.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.writes: list[Write] = []
        self.events: list[tuple[Ref, Note]] = []
        self.store: dict[Address, dict[str, Any]] = {}
        self._applied: dict[Address, Manifest] = {}
        self._before: dict[int, ClusterError] = {}
        self._after: dict[int, Exception] = {}
        self._seen: dict[Address, dict[str, Any]] | None = None
        self._version = 100
        self._uids = 0
        self._world = World(self)
        self.served: frozenset[str] = frozenset()

    # -- what users and other programs do ------------------------------------------------------------------

    def create_taskservice(self, manifest: Manifest) -> Ref:
        """Make a TaskService as the API server would; the namespace is ``default`` unless given."""
        whole = {"apiVersion": names.API_VERSION, "kind": names.KIND, **copy.deepcopy(dict(manifest))}
        whole.pop("status", None)
        return Ref.of(self.put(whole))

    def put(self, manifest: Manifest) -> Manifest:
        """Make or replace any object as somebody else: a ConfigMap, a Secret, an object in our way."""
        whole = copy.deepcopy(dict(manifest))
        whole["metadata"].setdefault("namespace", "default")
        address = address_of(whole)
        existing = self.store.get(address)
        if existing is not None:
            whole["metadata"] = {**existing["metadata"], **whole["metadata"]}
        return self.save(whole)

    def patch(self, ref: Ref, change: Mapping[str, Any]) -> None:
        """Merge-patch a TaskService (None removes a field).  Raises NotFound."""
        self.edit((names.KIND, ref.namespace, ref.name), change)

    def annotate(self, ref: Ref, annotation: str, value: str | None) -> None:
        """Set or remove an annotation: the human verbs."""
        self.patch(ref, {"metadata": {"annotations": {annotation: value}}})

    def edit(self, address: Address, change: Mapping[str, Any]) -> None:
        """Merge-patch any object by hand.  Raises NotFound."""
        self.save(merge_patch(self.get(address), change))

    def delete_taskservice(self, ref: Ref) -> None:
        """Delete a TaskService; what it owned goes with the next tick."""
        self.remove((names.KIND, ref.namespace, ref.name))

    def remove(self, address: Address) -> None:
        """Delete any object by hand.  Raises NotFound."""
        self.get(address)
        self.discard(address)

    def get(self, address: Address) -> dict[str, Any]:
        """One object.  Raises NotFound."""
        if address not in self.store:
            raise NotFound(f"{address[0]} {address[1]}/{address[2]} not found")
        return self.store[address]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind, by address."""
        return [self.store[address] for address in sorted(self.store) if address[0] == kind]

    # -- the world around ----------------------------------------------------------------------------------

    def tick(self, seconds: float = 1) -> None:
        """Let time pass in steps of at most a second, and the controllers act after each."""
        left = float(seconds)
        while left > 0:
            step = min(left, 1.0)
            left -= step
            self.now += timedelta(seconds=step)
            self._world.step()

    def script(self, image_or_revision: str, behaviour: Behaviour) -> None:
        """How pods of an image, or of one revision, behave from now on; others are :data:`READY`."""
        self._world.behaviours[image_or_revision] = behaviour

    def demand(self, ref: Ref, replicas: int) -> None:
        """How many replicas the load on the live Service calls for: followed by the autoscaler behind it."""
        self._world.demands[ref] = replicas

    # -- the port ------------------------------------------------------------------------------------------

    def snapshot(self, ref: Ref, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
        """All inputs of a decision at this moment; None when there is no such TaskService."""
        return self._snapshot(self.store, ref, foreign, live=True)

    def perform(self, ref: Ref, action: Action, status: Manifest | None = None) -> None:
        """Do one action.  ``status`` is needed for WriteStatus only.  Raises what :meth:`carry_out` raises."""
        match action:
            case Create(manifest) | Apply(manifest):
                self._apply(ref, manifest, create=isinstance(action, Create))
            case Delete(key, uid):
                self._delete(ref, key, uid)
            case WriteStatus():
                if status is None:
                    raise TypeError("WriteStatus needs the plan's status")
                self.record_status(ref, status)

    def record_status(self, ref: Ref, status: Manifest) -> None:
        """Replace the status if it differs."""
        current = self.get((names.KIND, ref.namespace, ref.name))
        if current.get("status") != dict(status):
            self._write_status(ref, status, current)

    async def observe(self, ref: Ref, *, live: bool, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
        """See :meth:`~port.ClusterPort.observe`; not live is what :meth:`freeze_watches` has left."""
        store = self.store if live or self._seen is None else self._seen
        return self._snapshot(store, ref, foreign, live=live)

    async def carry_out(self, ref: Ref, action: Action) -> None:
        """See :meth:`~port.ClusterPort.carry_out`."""
        if isinstance(action, WriteStatus):
            raise TypeError(f"{action!r} is not for a single object")
        self.perform(ref, action)

    async def write_status(self, ref: Ref, status: Manifest, observed: Manifest) -> Manifest:
        """See :meth:`~port.ClusterPort.write_status`."""
        return self._write_status(ref, status, observed)

    async def emit_event(self, observed: Manifest, note: Note) -> None:
        """See :meth:`~port.ClusterPort.emit_event`."""
        self.events.append((Ref.of(observed), note))

    async def relist(self) -> frozenset[Ref]:
        """See :meth:`~port.ClusterPort.relist`."""
        return frozenset(Ref.of(taskservice) for taskservice in self.all(names.KIND))

    # -- failures ------------------------------------------------------------------------------------------

    def fail_write(self, number: int, error: ClusterError) -> None:
        """The ``number``-th write from now (1: the next) has no effect and raises ``error``."""
        self._before[len(self.writes) + number] = error

    def lose_answer(self, number: int, error: ClusterError) -> None:
        """The ``number``-th write from now takes effect, and yet raises ``error``."""
        self._after[len(self.writes) + number] = error

    def crash_after_write(self, number: int) -> None:
        """The ``number``-th write from now takes effect and then raises :class:`Crashed`."""
        self._after[len(self.writes) + number] = Crashed(f"after write {len(self.writes) + number}")

    def freeze_watches(self) -> None:
        """From now on a cached observation shows this moment, whatever happens."""
        self._seen = dict(self.store)

    def thaw_watches(self) -> None:
        """Cached observations are up to date again."""
        self._seen = None

    # -- storage, also for ``memory_world`` ----------------------------------------------------------------

    def save(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Store an object as the API server would: UID, version, generation.  Unchanged ones keep their version."""
        address = address_of(manifest)
        existing = self.store.get(address)
        metadata = dict(manifest["metadata"])
        if existing is None:
            self._uids += 1
            metadata |= {"uid": f"uid-{self._uids:05}", "creationTimestamp": format_time(self.now), "generation": 1}
            manifest = self._defaulted(manifest)
        elif {**manifest, "metadata": metadata} == existing:
            return existing
        elif manifest.get("spec") != existing.get("spec"):
            metadata["generation"] = existing["metadata"].get("generation", 1) + 1
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.store[address] = {**manifest, "metadata": metadata}
        return self.store[address]

    def discard(self, address: Address) -> None:
        """Delete an object if it is there."""
        self.store.pop(address, None)
        self._applied.pop(address, None)

    def _snapshot(
        self, store: dict[Address, dict[str, Any]], ref: Ref, foreign: frozenset[ObjectKey], *, live: bool
    ) -> Snapshot | None:
        taskservice = store.get((names.KIND, ref.namespace, ref.name))
        if taskservice is None:
            return None
        uid = taskservice["metadata"]["uid"]
        here = [store[address] for address in sorted(store) if address[1] == ref.namespace]
        owned = {kind.kind for kind in (*kinds.OWNED, *kinds.OPTIONAL)}
        mine = [manifest for manifest in here if owner_name(manifest) == ref.name]
        occupied = {
            key
            for key in foreign
            if (there := store.get((key.kind, ref.namespace, key.name))) and controller_uid(there) != uid
        }
        return Snapshot(
            taskservice=taskservice,
            objects={
                ObjectKey.of(manifest): manifest
                for manifest in here
                if manifest["kind"] in owned and controller_uid(manifest) == uid
            },
            pods=tuple(manifest for manifest in mine if manifest["kind"] == "Pod"),
            endpoint_slices=tuple(manifest for manifest in mine if manifest["kind"] == "EndpointSlice"),
            sources={
                (kind, name): dict(source.get("data") or {})
                if (source := store.get((kind, ref.namespace, name))) is not None
                else None
                for kind, name in referenced_sources(taskservice)
            },
            foreign=frozenset(occupied) if live else foreign,
            served=self.served,
        )

    def _apply(self, ref: Ref, manifest: Manifest, *, create: bool) -> None:
        key = ObjectKey.of(manifest)
        kinds.kind_of(key.api_version, key.kind)
        address = (key.kind, ref.namespace, key.name)
        existing = self.store.get(address)
        if existing is not None and controller_uid(existing) != controller_uid(manifest):
            raise Collision(key) if create else Conflict(f"{key} is not the one that was seen")
        if existing is not None and create:
            if says(existing, manifest):
                return
            raise Conflict(f"{key} was thought to be absent, and is there")
        with _WriteRequest(self, "apply", address) as request:
            replicas_shared = self._world.is_autoscaled(existing) if existing else False
            merged = apply_manifest(existing, self._applied.get(address), manifest, replicas_shared=replicas_shared)
            merged["metadata"]["namespace"] = ref.namespace
            _refuse_immutable(existing, merged)
            self._applied[address] = copy.deepcopy(dict(manifest))
            saved = self.save(merged)
            request.changed = saved is not existing

    def _delete(self, ref: Ref, key: ObjectKey, uid: str) -> None:
        address = (key.kind, ref.namespace, key.name)
        with _WriteRequest(self, "delete", address) as request:
            existing = self.store.get(address)
            if existing is None:
                return
            if existing["metadata"]["uid"] != uid:
                raise Conflict(f"{key} is not the one that was to be deleted")
            self.discard(address)
            request.changed = True

    def _write_status(self, ref: Ref, status: Manifest, observed: Manifest) -> Manifest:
        address = (names.KIND, ref.namespace, ref.name)
        with _WriteRequest(self, "update", address) as request:
            current = self.get(address)
            for name in ("uid", "resourceVersion"):
                if current["metadata"][name] != observed["metadata"][name]:
                    raise Conflict(f"TaskService {ref} has changed since it was observed")
            saved = self.save({**current, "status": copy.deepcopy(dict(status))})
            request.changed = saved is not current
        return self.get(address)

    def _defaulted(self, manifest: dict[str, Any]) -> dict[str, Any]:
        spec = dict(manifest.get("spec") or {})
        if manifest["kind"] == "Service" and "clusterIP" not in spec:
            spec["clusterIP"] = f"10.96.{self._uids // 250}.{self._uids % 250 + 1}"
        elif manifest["kind"] == "Deployment":
            spec.setdefault("replicas", 1)
        else:
            return manifest
        return {**manifest, "spec": spec}


class _WriteRequest:
    """Counts one write, logs it, and fails where a failure was ordered."""

    def __init__(self, cluster: MemoryCluster, verb: str, address: Address) -> None:
        self._cluster = cluster
        self._verb = verb
        self._address = address
        self.changed = False

    def __enter__(self) -> _WriteRequest:
        self._number = len(self._cluster.writes) + 1
        if error := self._cluster._before.pop(self._number, None):
            self._log()
            raise error
        return self

    def __exit__(self, *failure: object) -> None:
        self._log()
        error = self._cluster._after.pop(self._number, None)
        if error and failure[0] is None:
            raise error

    def _log(self) -> None:
        kind, _, name = self._address
        self._cluster.writes.append(Write(self._number, self._verb, kind, name, self._cluster.now, self.changed))


def address_of(manifest: Manifest) -> Address:
    """Where an object is stored."""
    return manifest["kind"], manifest["metadata"].get("namespace", "default"), manifest["metadata"]["name"]


def _refuse_immutable(existing: Manifest | None, merged: Manifest) -> None:
    if existing is None:
        return
    key = ObjectKey.of(merged)
    if existing.get("immutable") and existing.get("data") != merged.get("data"):
        raise Invalid(f"{key} is invalid: data: Forbidden: field is immutable when `immutable` is set")
    if key.kind == "Deployment" and existing["spec"].get("selector") != merged["spec"].get("selector"):
        raise Invalid(f"{key} is invalid: spec.selector: field is immutable")


__all__ = ["READY", "Address", "Behaviour", "Crashed", "MemoryCluster", "Write", "address_of"]
