"""Leader election by a Lease: at most one process writes, and one that may have lost the lease does not.

::

    0 s ........ last renewal sent
    10 s ....... RENEW_SECONDS: the leader that could not renew stops writing and ends itself
    15 s ....... WRITE_SECONDS (kube) later, its last request is answered or given up
    15 s ....... LEASE_SECONDS: others, who saw no change for that long on their own clock, may take over

Only monotonic time is compared, and only with this process's own; the times in the Lease are for people.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from taskservice_operator.cluster.errors import ClusterError, Conflict, LeaseLost, NotFound
from taskservice_operator.cluster.kinds import LEASE

LEASE_SECONDS = 15.0
RENEW_SECONDS = 10.0
RETRY_SECONDS = 2.0
ATTEMPT_SECONDS = 4.0
JITTER = 0.2

log = logging.getLogger(__name__)


class LeaseApi(Protocol):
    """What of the transport we need."""

    async def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, seconds: float = ...
    ) -> dict[str, Any]: ...


class Leadership:
    """One process's part in the election.

    ``check`` is the fence to call before every write; ``hold`` runs for the life of the process.
    """

    def __init__(
        self,
        api: LeaseApi,
        namespace: str,
        name: str,
        identity: str,
        *,
        count_write: Callable[[str, str], None] = lambda _verb, _kind: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._count_write = count_write
        self._clock = clock
        self._renewed_at: float | None = None  # when the last successful renewal was sent
        self._seen: tuple[str, float] | None = None  # another's record: its version, and since when it is unchanged
        self.acquired = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """True while no other process can have the lease."""
        return self._renewed_at is not None and self._clock() - self._renewed_at < RENEW_SECONDS

    def check(self) -> None:
        """Raise :class:`LeaseLost` unless the lease is held."""
        if not self.is_held:
            raise LeaseLost(f"the lease {self._namespace}/{self._name} is not held by {self._identity}")

    async def hold(self) -> None:
        """Acquire the lease, set ``acquired``, and renew.  Raises :class:`LeaseLost` when it could not be renewed."""
        while True:
            await self._attempt()
            if self.acquired.is_set():
                self.check()
            elif self._renewed_at is not None:
                log.info("lease_acquired", extra={"lease": self._name, "identity": self._identity})
                self.acquired.set()
            await asyncio.sleep(RETRY_SECONDS * (1 + JITTER * random.random()))  # noqa: S311

    async def release(self) -> None:
        """Let the next process take over at once.  Call it when nothing will be written any more."""
        if not self.is_held:
            return
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                lease = await self._request("GET", self._path())
                if lease["spec"].get("holderIdentity") == self._identity:
                    spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
                    await self._request("PUT", self._path(), {**lease, "spec": spec})
            log.info("lease_released", extra={"lease": self._name, "identity": self._identity})
        except (ClusterError, TimeoutError) as error:
            log.warning("lease_not_released", extra={"error": str(error)})
        self._renewed_at = None

    async def _attempt(self) -> None:
        sent_at = self._clock()
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                if await self._acquire_or_renew():
                    self._renewed_at = sent_at
        except LeaseLost:
            raise
        except (ClusterError, TimeoutError) as error:
            log.warning("lease_attempt_failed", extra={"error": str(error) or type(error).__name__})

    async def _acquire_or_renew(self) -> bool:
        try:
            lease = await self._request("GET", self._path())
        except NotFound:
            try:
                await self._request("POST", LEASE.path(self._namespace), self._fresh())
            except Conflict:
                return False
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._identity) and not self._has_expired(lease, spec):
            if self.acquired.is_set():
                raise LeaseLost(f"{holder} has taken the lease {self._namespace}/{self._name}")
            return False
        mine = holder == self._identity
        spec = {
            **spec,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_SECONDS),
            "renewTime": _now(),
            "acquireTime": spec.get("acquireTime") if mine else _now(),
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (0 if mine else 1),
        }
        try:
            await self._request("PUT", self._path(), {**lease, "spec": spec})
        except Conflict:
            return False
        return True

    def _has_expired(self, lease: dict[str, Any], spec: dict[str, Any]) -> bool:
        """True when another's record has not changed for its whole duration, as seen from here."""
        version, now = lease["metadata"]["resourceVersion"], self._clock()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
            return False
        return now - self._seen[1] >= float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)

    def _fresh(self) -> dict[str, Any]:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(LEASE_SECONDS),
                "acquireTime": _now(),
                "renewTime": _now(),
                "leaseTransitions": 0,
            },
        }

    def _path(self) -> str:
        return LEASE.path(self._namespace, self._name)

    async def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if method != "GET":
            self._count_write({"POST": "create", "PUT": "update"}[method], LEASE.kind)
        return await self._api.request(method, path, body=body, seconds=ATTEMPT_SECONDS)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
