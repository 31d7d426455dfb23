"""The real cluster: live observation by consistent reads, writes by server-side apply, both feeding the cache.

A look reads what decides: the TaskService, its Deployments, Services, pods and endpoints.  The rest of what we own is
written by us alone and cannot make a decision dangerous; watches, our own writes and the resync keep it.

How each write is made, and why:

* Create reads by name first, because a server-side apply cannot say "only if new", and applies without force:
  an object that appears in between with other values is a conflict, not overwritten.  One of ours that is there
  already is left alone: when it says something else, the decision was made on an old picture, which is a conflict.
* Apply names the UID that was seen: the server refuses to put our fields onto a namesake.
* Delete carries the UID as a precondition.
* The status is a PUT of ``/status`` with UID and resourceVersion: exactly the status that was decided, fields
  that ceased to be are gone, and a decision on an outdated spec is refused.

After a conflict about an owned object that object is read, so that the next decision is not made on the same picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.errors import ClusterError, Collision, Conflict, Forbidden, Invalid, NotFound
from taskservice_operator.cluster.events import EventRecorder
from taskservice_operator.cluster.kinds import CONFIG_MAP, SECRET, TASKSERVICE, Kind, controller_uid
from taskservice_operator.cluster.kube import APPLY_PATCH, JSON, KubeApi
from taskservice_operator.cluster.port import Manifest, Ref, referenced_sources
from taskservice_operator.core.model import Action, Apply, Create, Delete, Note, ObjectKey, Snapshot
from taskservice_operator.render.difference import says

_RELIST_CONCURRENCY = 8


def _nothing() -> None:
    return None


class LiveCluster:
    """The :class:`~port.ClusterPort` of a real API server.

    ``fence`` is called before every write and raises LeaseLost when writing is not ours any more.
    ``count_write`` is told verb and kind of every write request.
    ``namespaces`` empty means all.
    """

    def __init__(
        self,
        api: KubeApi,
        cache: Cache,
        *,
        namespaces: tuple[str, ...] = (),
        fence: Callable[[], None] = _nothing,
        count_write: Callable[[str, str], None] = lambda _verb, _kind: None,
    ) -> None:
        self._api = api
        self._cache = cache
        self._scopes: tuple[str | None, ...] = namespaces or (None,)
        self._fence = fence
        self._count_write = count_write
        self._events = EventRecorder(self._send_event)

    async def observe(self, ref: Ref, *, live: bool, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot | None:
        """See :meth:`~port.ClusterPort.observe`."""
        if not live:
            return self._cache.snapshot(ref, foreign)
        since = self._cache.stamp
        selector = kinds.owned_selector(ref.name)
        listed = kinds.DECIDING
        taskservice, *lists = await _together(
            self._get(TASKSERVICE, ref.namespace, ref.name),
            *(self._api.list(kind.path(ref.namespace), selector) for kind in listed),
        )
        for kind, manifests in zip(listed, lists, strict=True):
            self._cache.replace(kind, ref.namespace, manifests, since=since, owner=ref)
        if taskservice is None:
            self._cache.forget(ref)
            return None
        self._cache.update(taskservice)
        named = [(_source_kind(kind), ref.namespace, name) for kind, name in referenced_sources(taskservice)]
        sources = [source for source in named if self._cache.get(*source) is None]  # the others are watched
        occupied, *_ = await _together(
            self._still_foreign(ref, foreign, taskservice["metadata"]["uid"]),
            *(self._read_again(*source) for source in sources),
        )
        return self._cache.snapshot(ref, occupied)

    async def carry_out(self, ref: Ref, action: Action) -> None:
        """See :meth:`~port.ClusterPort.carry_out`."""
        match action:
            case Create(manifest):
                await self._create(ref, manifest)
            case Apply(manifest):
                kind = kinds.kind_of(manifest["apiVersion"], manifest["kind"])
                seen = self._cache.get(kind, ref.namespace, manifest["metadata"]["name"])
                await self._apply(ref, manifest, uid=seen["metadata"]["uid"] if seen else None, force=True)
            case Delete(key, uid):
                await self._delete(ref, key, uid)
            case _:
                raise TypeError(f"{action!r} is not for a single object")

    async def write_status(self, ref: Ref, status: Manifest, observed: Manifest) -> Manifest:
        """See :meth:`~port.ClusterPort.write_status`."""
        metadata = {name: observed["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        body = {
            "apiVersion": TASKSERVICE.api_version,
            "kind": TASKSERVICE.kind,
            "metadata": metadata,
            "spec": observed.get("spec") or {},
            "status": status,
        }
        path = TASKSERVICE.path(ref.namespace, ref.name, "status")
        written = await self._write("update", TASKSERVICE, "PUT", path, body=body)
        self._cache.update(written)
        return written

    async def emit_event(self, observed: Manifest, note: Note) -> None:
        """See :meth:`~port.ClusterPort.emit_event`."""
        await self._events.record(observed, note)

    async def relist(self) -> frozenset[Ref]:
        """See :meth:`~port.ClusterPort.relist`."""
        for kind in kinds.WATCHED:
            selector = None if kind is TASKSERVICE else names.MANAGED_SELECTOR
            for namespace in self._scopes:
                since = self._cache.stamp
                manifests = await self._api.list(kind.path(namespace), selector)
                self._cache.replace(kind, namespace, manifests, since=since)
        for kind in kinds.OPTIONAL:
            await self._relist_optional(kind)
        limit = asyncio.Semaphore(_RELIST_CONCURRENCY)

        async def read(kind: str, namespace: str, name: str) -> None:
            async with limit:
                await self._read_again(_source_kind(kind), namespace, name)

        await _together(*(read(*address) for address in sorted(self._cache.referenced())))
        return self._cache.refs

    async def _relist_optional(self, kind: Kind) -> None:
        """A kind that is not there, or that we may not read, is not served; what we had of it is forgotten."""
        served = True
        for namespace in self._scopes:
            since, manifests = self._cache.stamp, []
            try:
                manifests = await self._api.list(kind.path(namespace), names.MANAGED_SELECTOR)
            except (NotFound, Forbidden):
                served = False
            self._cache.replace(kind, namespace, manifests, since=since)
        self._cache.serves(kind, served)

    async def _create(self, ref: Ref, manifest: Manifest) -> None:
        key = ObjectKey.of(manifest)
        kind = kinds.kind_of(key.api_version, key.kind)
        existing = await self._get(kind, ref.namespace, key.name)
        if existing is None:
            await self._apply(ref, manifest, uid=None, force=False)
            return
        if controller_uid(existing) != controller_uid(manifest):
            raise Collision(key)
        self._cache.update(existing)
        if not says(existing, manifest):
            raise Conflict(f"{key} was thought to be absent, and is there")

    async def _apply(self, ref: Ref, manifest: Manifest, *, uid: str | None, force: bool) -> None:
        kind = kinds.kind_of(manifest["apiVersion"], manifest["kind"])
        metadata = {**manifest["metadata"], "namespace": ref.namespace, **({"uid": uid} if uid else {})}
        try:
            written = await self._write(
                "apply",
                kind,
                "PATCH",
                kind.path(ref.namespace, metadata["name"]),
                query={"fieldManager": names.FIELD_MANAGER, "force": "true" if force else "false"},
                body={**manifest, "metadata": metadata},
                content_type=APPLY_PATCH,
            )
        except (Conflict, Invalid) as error:
            # A namesake, not the one that is meant, is said to be an invalid "metadata.uid".
            if isinstance(error, Invalid) and "metadata.uid" not in error.message:
                raise
            await self._read_again(kind, ref.namespace, metadata["name"])
            raise Conflict(error.message) from error
        self._cache.update(written)

    async def _delete(self, ref: Ref, key: ObjectKey, uid: str) -> None:
        kind = kinds.kind_of(key.api_version, key.kind)
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        since = self._cache.stamp
        try:
            answer = await self._write("delete", kind, "DELETE", kind.path(ref.namespace, key.name), body=body)
        except NotFound:
            answer = {}
        except Conflict as error:
            await self._read_again(kind, ref.namespace, key.name)
            raise Conflict(f"{key} is not the one that was to be deleted: {error.message}") from error
        if answer.get("kind") == key.kind:
            self._cache.update(answer)  # somebody's finalizer keeps it for now
        else:
            self._cache.absent(kind, ref.namespace, key.name, since=since)

    async def _get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._api.get(kind.path(namespace, name))
        except NotFound:
            return None

    async def _read_again(self, kind: Kind, namespace: str, name: str) -> None:
        """Take in one object as it is now: owned, or a source."""
        since = self._cache.stamp
        found = await self._get(kind, namespace, name)
        if found is None:
            self._cache.absent(kind, namespace, name, since=since)
        else:
            self._cache.update(found)

    async def _still_foreign(self, ref: Ref, suspects: frozenset[ObjectKey], uid: str) -> frozenset[ObjectKey]:
        found: set[ObjectKey] = set()
        for key in sorted(suspects):
            existing = await self._get(kinds.kind_of(key.api_version, key.kind), ref.namespace, key.name)
            if existing is not None and controller_uid(existing) != uid:
                found.add(key)
        return frozenset(found)

    async def _send_event(self, method: str, path: str, *, body: Manifest, content_type: str) -> Any:
        verb = "create" if method == "POST" else "patch"
        return await self._write(verb, kinds.EVENT, method, path, body=body, content_type=content_type)

    async def _write(
        self,
        verb: str,
        kind: Kind,
        method: str,
        path: str,
        *,
        body: Manifest,
        query: Manifest | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        self._fence()
        self._count_write(verb, kind.kind)
        return await self._api.request(method, path, query=query, body=body, content_type=content_type)


def _source_kind(kind: str) -> Kind:
    return SECRET if kind == SECRET.kind else CONFIG_MAP


async def _together(*requests: Coroutine[Any, Any, Any]) -> list[Any]:
    """All results in order; at the first failure the rest is cancelled and that failure raised."""
    tasks: Iterable[asyncio.Task[Any]] = [asyncio.ensure_future(request) for request in requests]
    try:
        return list(await asyncio.gather(*tasks))
    except (ClusterError, asyncio.CancelledError):
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
