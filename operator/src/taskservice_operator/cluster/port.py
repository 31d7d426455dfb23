"""The port between the loop and a cluster, real or in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from taskservice_operator.core.model import Action, Note, ObjectKey, Snapshot

Manifest = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Ref:
    """The key of one TaskService in queues, logs and caches."""

    namespace: str
    name: str

    @staticmethod
    def of(manifest: Manifest) -> Ref:
        return Ref(manifest["metadata"]["namespace"], manifest["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Incomplete(Exception):
    """What the watches have shown does not suffice for a snapshot yet: observe live."""


class ClusterPort(Protocol):
    """Everything the loop may ask of a cluster.  Every method may raise :class:`errors.ClusterError`."""

    async def observe(self, ref: Ref, *, live: bool, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
        """All inputs of one decision, or None when the TaskService is gone.

        Not live: from memory, without a request, possibly a moment old; raises :class:`Incomplete`.
        Live: by consistent reads.  ``foreign`` are addresses that were found occupied before: taken over from
        memory, looked at again when live.
        """
        ...

    async def carry_out(self, ref: Ref, action: Action) -> None:
        """Do one Create, Apply or Delete.  A repeated action is harmless.

        Raises Collision when a Create meets an object that the owner named in its manifest does not control.
        """
        ...

    async def write_status(self, ref: Ref, status: Manifest, observed: Manifest) -> Manifest:
        """Replace the whole ``.status`` and return the TaskService as it is then.

        ``observed`` is the TaskService the decision was made on; any change since raises Conflict.
        """
        ...

    async def emit_event(self, observed: Manifest, note: Note) -> None:
        """Tell people about a change.  Never raises: an Event is not worth a failed pass."""
        ...

    async def relist(self) -> frozenset[Ref]:
        """Read every kind again, forget what vanished unnoticed, and return all TaskServices."""
        ...


def referenced_sources(taskservice: Manifest) -> tuple[tuple[str, str], ...]:
    """``(kind, name)`` of each ConfigMap and Secret that ``spec`` refers to, sorted.

    Tolerant of any shape: what is wrong with a spec is for the core to say.
    """
    spec = taskservice.get("spec") or {}
    found: set[tuple[str, str]] = set()
    for block, field, kind in (("config", "configMapRef", "ConfigMap"), ("secrets", "secretRef", "Secret")):
        entries = spec.get(block)
        for entry in entries if isinstance(entries, list | tuple) else ():
            reference = entry.get(field) if isinstance(entry, Mapping) else None
            name = reference.get("name") if isinstance(reference, Mapping) else None
            if isinstance(name, str) and name:
                found.add((kind, name))
    return tuple(sorted(found))
