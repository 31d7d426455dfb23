"""Argon2id, off the event loop and bounded: hashing takes tens of milliseconds and megabytes each."""

from typing import Protocol

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from taskservice.auth.errors import Overloaded
from taskservice.kit.settings import AuthSettings


class Passwords(Protocol):
    """Hashes and checks passwords. Both raise Overloaded when too many are waiting."""

    async def hash(self, password: str) -> str: ...
    async def verify(self, password: str, hashed: str | None) -> bool: ...


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
        self._queue = settings.password_queue
        # Checked instead of a real hash when the user is unknown, so that both answers take the same time.
        self._dummy = self._hasher.hash("an account that does not exist")

    async def hash(self, password: str) -> str:
        self._admit()
        return await to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password; a hash of None (no such user) costs the same and is False."""
        self._admit()
        right = await to_thread.run_sync(
            self._hasher.verify, password, hashed or self._dummy, limiter=self._limiter
        )
        return right and hashed is not None

    def _admit(self) -> None:
        if self._limiter.statistics().tasks_waiting >= self._queue:
            raise Overloaded
