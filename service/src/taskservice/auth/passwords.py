"""Argon2id, off the event loop and bounded: hashing takes tens of milliseconds and megabytes each."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, to_thread
from prometheus_client import CollectorRegistry, Gauge
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from taskservice.auth.errors import Overloaded
from taskservice.kit.settings import AuthSettings

T = TypeVar("T")


class Passwords(Protocol):
    """Hashes and checks passwords. Both raise Overloaded when too many are waiting."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Whether it is right, and a better hash of it when the stored one has other parameters than are used now."""
        ...


class Argon2Passwords:
    """At most `password_workers` at a time and `password_queue` waiting."""

    def __init__(self, settings: AuthSettings) -> None:
        self._hasher = PasswordHash(
            [
                Argon2Hasher(
                    time_cost=settings.argon2_time_cost,
                    memory_cost=settings.argon2_memory_kib,
                    parallelism=settings.argon2_parallelism,
                )
            ]
        )
        self._limiter = CapacityLimiter(settings.password_workers)
        self._capacity = settings.password_workers + settings.password_queue
        self._inside = 0
        # Checked instead of a real hash when the user is unknown, so that both answers take the same time.
        self._dummy = self._hasher.hash("an account that does not exist")

    def show(self, registry: CollectorRegistry) -> None:
        """Shows in the metrics how many are at work and how many wait."""
        checks = Gauge(
            "taskservice_password_hashes", "Passwords being hashed or waiting", ("state",), registry=registry
        )
        checks.labels("running").set_function(lambda: self._limiter.borrowed_tokens)
        checks.labels("waiting").set_function(lambda: self._inside - self._limiter.borrowed_tokens)
        most = Gauge("taskservice_password_hashes_max", "How many of each there can be", ("state",), registry=registry)
        most.labels("running").set(self._limiter.total_tokens)
        most.labels("waiting").set(self._capacity - self._limiter.total_tokens)

    async def hash(self, password: str) -> str:
        return await self._bounded(lambda: self._hasher.hash(password))

    async def verify(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """A hash of None (no such user) costs the same and is never right."""
        right, improved = await self._bounded(lambda: self._hasher.verify_and_update(password, hashed or self._dummy))
        return (right, improved) if hashed is not None else (False, None)

    async def _bounded(self, work: Callable[[], T]) -> T:
        # Counted here: the limiter counts a caller as waiting only once it has been scheduled.
        if self._inside >= self._capacity:
            raise Overloaded
        self._inside += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter)
        finally:
            self._inside -= 1
