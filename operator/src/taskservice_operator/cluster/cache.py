"""What the watches and our own reads and writes have shown, and which TaskService each object concerns.

Three rules keep it honest although its sources race with each other:

* an object is only replaced by one with a higher ``resourceVersion``; a deletion leaves a tombstone with its
  version, so that a slower answer cannot bring the object back;
* a list prunes only what was already here when the request was sent (``stamp``) and was not seen since;
* contents of other people's ConfigMaps and Secrets are kept only while some TaskService refers to them; a
  reference whose contents were never read makes the snapshot :class:`~port.Incomplete`, never empty.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.cluster.kinds import (
    DEPENDENT,
    DEPLOYMENT,
    OPTIONAL,
    OWNED,
    SOURCES,
    TASKSERVICE,
    Kind,
    controller_uid,
    owner_name,
)
from taskservice_operator.cluster.port import Incomplete, Manifest, Ref, referenced_sources
from taskservice_operator.core.model import ObjectKey, Snapshot

Address = tuple[str, str, str]
"""(kind, namespace, name): the kinds we handle are unambiguous without their group."""

TOMBSTONES = 10_000
_OWNED = frozenset(kind.kind for kind in (*OWNED, *OPTIONAL))
_DEPENDENT = frozenset(kind.kind for kind in DEPENDENT)
_SOURCES = frozenset(kind.kind for kind in SOURCES)


@dataclass(frozen=True)
class _Entry:
    manifest: Manifest
    version: int
    stamp: int
    owner: Ref | None


class Cache:
    """Objects by address with two indexes: owner to its objects, and referenced source to its TaskServices."""

    def __init__(self) -> None:
        self._entries: dict[Address, _Entry] = {}
        self._of_owner: dict[Ref, set[Address]] = {}
        self._references: dict[Ref, frozenset[Address]] = {}
        self._referrers: dict[Address, set[Ref]] = {}
        self._absent: set[Address] = set()
        self._tombstones: OrderedDict[Address, int] = OrderedDict()
        self._stamp = 0
        self._served: frozenset[str] = frozenset()

    @property
    def stamp(self) -> int:
        """Take this before sending a list or a GET, and hand it back with the answer."""
        return self._stamp

    @property
    def refs(self) -> frozenset[Ref]:
        """All TaskServices."""
        return frozenset(self._references)

    def taskservices(self) -> list[Manifest]:
        """Every TaskService as last seen."""
        addresses = ((TASKSERVICE.kind, ref.namespace, ref.name) for ref in sorted(self._references))
        return [self._entries[address].manifest for address in addresses if address in self._entries]

    def serves(self, kind: Kind, served: bool) -> None:
        """Take in whether the cluster has one of the optional kinds."""
        self._served = self._served | {kind.kind} if served else self._served - {kind.kind}

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object as last seen."""
        entry = self._entries.get((kind.kind, namespace, name))
        return entry.manifest if entry else None

    def update(self, manifest: Manifest) -> frozenset[Ref]:
        """Take in an object that exists; return the TaskServices that it concerns."""
        address, version = _address(manifest), _version(manifest)
        old = self._entries.get(address)
        if version <= self._tombstones.get(address, -1) or (old and version < old.version):
            return frozenset()
        owner = _owner(manifest)
        self._stamp += 1
        if owner is None and address not in self._referrers:
            self._drop(address)  # it was ours, or referred to, and is not any more
            return frozenset({old.owner} if old and old.owner else ())
        self._drop(address)
        self._entries[address] = _Entry(_slim(manifest), version, self._stamp, owner)
        self._absent.discard(address)
        if owner is not None:
            self._of_owner.setdefault(owner, set()).add(address)
        if address[0] == TASKSERVICE.kind:
            self._refer(Ref(address[1], address[2]), manifest)
        changed = {owner, old.owner if old else None} | self._referrers.get(address, set())
        return frozenset(ref for ref in changed if ref)

    def remove(self, manifest: Manifest) -> frozenset[Ref]:
        """Take in that an object was deleted; its version is the deletion's."""
        address, version = _address(manifest), _version(manifest)
        old = self._entries.get(address)
        if old and old.version > version:
            return frozenset()
        self._bury(address, version)
        return self._vanished(address, old)

    def replace(
        self, kind: Kind, namespace: str | None, manifests: Iterable[Manifest], *, since: int, owner: Ref | None = None
    ) -> frozenset[Ref]:
        """Take in a complete list of our objects of a kind (of all namespaces if None; of one ``owner`` if given).

        Returns the TaskServices for which anything is different now.
        """
        listed, changed = set[Address](), set[Ref]()
        for manifest in manifests:
            address = _address(manifest)
            listed.add(address)
            known = self._entries.get(address)
            if known is None or known.version != _version(manifest):
                changed |= self.update(manifest)
        candidates = self._of_owner.get(owner, set()) if owner else set(self._entries)
        for address in list(candidates):
            entry = self._entries[address]
            here = address[0] == kind.kind and namespace in (None, address[1]) and address not in listed
            if here and entry.owner is not None and entry.stamp <= since:
                changed |= self._vanished(address, entry)
        return frozenset(changed)

    def absent(self, kind: Kind, namespace: str, name: str, *, since: int) -> None:
        """Take in that an object of ours, or a referenced source, was asked for and did not exist."""
        address = (kind.kind, namespace, name)
        entry = self._entries.get(address)
        if entry is not None and entry.stamp > since:
            return  # a watch has shown it meanwhile
        if entry is not None:
            self._bury(address, entry.version)
        self._drop(address)
        if address in self._referrers:
            self._absent.add(address)

    def forget(self, ref: Ref) -> None:
        """Take in that a TaskService was asked for and did not exist; its objects stay until they go."""
        self._vanished((TASKSERVICE.kind, ref.namespace, ref.name), None)

    def referenced(self) -> frozenset[Address]:
        """All sources that some TaskService refers to."""
        return frozenset(self._referrers)

    def snapshot(self, ref: Ref, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
        """The inputs of a decision; None when there is no such TaskService.  Raises :class:`Incomplete`."""
        entry = self._entries.get((TASKSERVICE.kind, ref.namespace, ref.name))
        if entry is None:
            return None
        uid = entry.manifest["metadata"]["uid"]
        mine = sorted(self._of_owner.get(ref, ()))
        owned = [self._entries[address].manifest for address in mine if address[0] in _OWNED]
        dependents = [self._entries[address].manifest for address in mine if address[0] in _DEPENDENT]
        return Snapshot(
            taskservice=entry.manifest,
            objects={ObjectKey.of(manifest): manifest for manifest in owned if controller_uid(manifest) == uid},
            pods=tuple(manifest for manifest in dependents if manifest["kind"] == "Pod"),
            endpoint_slices=tuple(manifest for manifest in dependents if manifest["kind"] == "EndpointSlice"),
            sources={(kind, name): self._source((kind, ref.namespace, name)) for kind, name in _sources(entry)},
            foreign=foreign,
            served=self._served,
        )

    def _source(self, address: Address) -> dict[str, str] | None:
        if address in self._absent:
            return None
        entry = self._entries.get(address)
        if entry is None:
            raise Incomplete(f"{address[0]} {address[2]} was not read yet")
        return dict(entry.manifest.get("data") or {})

    def _refer(self, ref: Ref, taskservice: Manifest | None) -> None:
        wanted = frozenset((kind, ref.namespace, name) for kind, name in referenced_sources(taskservice or {}))
        for address in self._references.get(ref, frozenset()) - wanted:
            referrers = self._referrers[address]
            referrers.discard(ref)
            if not referrers:
                del self._referrers[address]
                self._absent.discard(address)
                entry = self._entries.get(address)
                if entry is not None and entry.owner is None:
                    self._drop(address)
        for address in wanted:
            self._referrers.setdefault(address, set()).add(ref)
        self._references[ref] = wanted
        if taskservice is None:
            del self._references[ref]

    def _vanished(self, address: Address, old: _Entry | None) -> frozenset[Ref]:
        self._drop(address)
        concerned = set(self._referrers.get(address, ()))
        if concerned:
            self._absent.add(address)
        if old is not None and old.owner is not None:
            concerned.add(old.owner)
        if address[0] == TASKSERVICE.kind:
            self._refer(Ref(address[1], address[2]), None)
        return frozenset(concerned)

    def _bury(self, address: Address, version: int) -> None:
        self._tombstones[address] = version
        self._tombstones.move_to_end(address)
        while len(self._tombstones) > TOMBSTONES:
            self._tombstones.popitem(last=False)

    def _drop(self, address: Address) -> None:
        entry = self._entries.pop(address, None)
        if entry is not None and entry.owner is not None:
            siblings = self._of_owner.get(entry.owner, set())
            siblings.discard(address)
            if not siblings:
                self._of_owner.pop(entry.owner, None)


def _owner(manifest: Manifest) -> Ref | None:
    if manifest["kind"] == names.KIND:
        return Ref.of(manifest)
    name = owner_name(manifest)
    return Ref(manifest["metadata"]["namespace"], name) if name else None


def _sources(entry: _Entry) -> tuple[tuple[str, str], ...]:
    return referenced_sources(entry.manifest)


def _address(manifest: Manifest) -> Address:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["namespace"], metadata["name"]


def _version(manifest: Manifest) -> int:
    # Comparable since Kubernetes 1.35 (KEP-5504), and in practice ever since etcd 3.
    text = manifest["metadata"].get("resourceVersion", "0")
    return int(text) if text.isdigit() else 0


def _slim(manifest: Manifest) -> dict[str, Any]:
    """Without ``managedFields``, often half of an object; except for whether others have set the replica count."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "managedFields"}
    if manifest["kind"] == DEPLOYMENT.kind and (claims := _replica_claims(manifest)):
        metadata["managedFields"] = claims
    return {**manifest, "metadata": metadata}


def _replica_claims(deployment: Manifest) -> list[dict[str, Any]]:
    return [
        {"manager": entry.get("manager"), "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for entry in deployment["metadata"].get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
