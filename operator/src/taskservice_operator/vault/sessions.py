"""Sessions with Vault: one for each ServiceAccount and role, kept by its lease and never beyond.

A token is used for two thirds of its lease, then renewed, or replaced by a new login when it cannot be.  A read that is
denied is repeated once after a new login: the token may have been revoked, or its policies changed.  While Vault is
sealed or away, one request at a time finds out whether it is back, and all others are answered without asking.
Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from taskservice_operator.core.model import VaultContent, VaultRequest, VaultTrouble
from taskservice_operator.vault.port import Login, Troubled, VaultPort

Mint = Callable[[str, str], Awaitable[str]]
"""A fresh token of a ServiceAccount (namespace, name), for Vault alone.  May raise :class:`Troubled`."""

Answer = TypeVar("Answer")
AWAY = frozenset({"VaultSealed", "VaultUnreachable"})
NOT_ASKED = frozenset({"VaultAccountMissing", "VaultTokenRefused", "VaultTokenUnavailable"})
"""Causes that lie before Vault: they do not tell whether it is there."""
USED_SHARE = 2 / 3
"""Of a lease: after that it is renewed, early enough to be repeated."""
PROBE_FIRST = 1.0
PROBE_MOST = 10.0
REVOKE_SECONDS = 2.0


@dataclass
class _Session:
    login: Login | None = None
    since: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions:
    """Reads secrets as whoever they are for.

    ``returned`` is called when Vault answers again after it was away; ``count`` is told each request (login, renew,
    read) and its result (``ok`` or a cause).
    """

    def __init__(
        self,
        vault: VaultPort,
        mint: Mint,
        *,
        concurrency: int = 4,
        clock: Callable[[], float] | None = None,
        count: Callable[[str, str], None] = lambda _request, _result: None,
    ) -> None:
        self._vault = vault
        self._mint = mint
        self._slots = asyncio.Semaphore(concurrency)
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._count = count
        self._sessions: dict[tuple[str, str, str], _Session] = {}
        self._away: VaultTrouble | None = None
        self._failures = 0
        self._probe_at = 0.0
        self.returned: Callable[[], None] = lambda: None

    async def read(self, request: VaultRequest) -> VaultContent:
        """The content of a secret.  Raises :class:`Troubled`."""
        async with self._slots:
            is_probe = self._spare()
            try:
                content = await self._read(request)
            except Troubled as problem:
                self._learn(problem.trouble, is_probe)
                raise
            self._learn(None, is_probe)
            return content

    async def retain(self, requests: Iterable[VaultRequest]) -> None:
        """End the sessions that none of these requests needs."""
        needed = {_key(request) for request in requests}
        ended = [self._sessions.pop(key) for key in list(self._sessions) if key not in needed]
        await asyncio.gather(*(self._revoke(session.login) for session in ended if session.login))

    async def close(self) -> None:
        """End all sessions, as far as Vault is there to do so, and the connection."""
        await self.retain(())
        await self._vault.close()

    async def _revoke(self, login: Login) -> None:
        """A courtesy: a token that is not ended ends with its lease."""
        if self._away is None:
            with contextlib.suppress(Troubled, TimeoutError):
                await asyncio.wait_for(self._vault.revoke(login.token), REVOKE_SECONDS)

    async def _read(self, request: VaultRequest) -> VaultContent:
        session = self._sessions.setdefault(_key(request), _Session())
        login, is_new = await self._logged_in(request, session)
        try:
            return await self._content(login, request)
        except Troubled as problem:
            if problem.trouble.cause != "VaultDenied" or is_new:
                raise
        await self._end(session, login)
        login, _ = await self._logged_in(request, session)
        return await self._content(login, request)

    async def _content(self, login: Login, request: VaultRequest) -> VaultContent:
        return VaultContent(await self._counted("read", self._vault.read(login.token, request.mount, request.path)))

    async def _logged_in(self, request: VaultRequest, session: _Session) -> tuple[Login, bool]:
        """A token that is good for a while, and whether it was made just now."""
        async with session.lock:
            login, age = session.login, self._clock() - session.since
            if login is not None and (not login.lease_seconds or age < login.lease_seconds * USED_SHARE):
                return login, False
            if login is not None and login.renewable and age < login.lease_seconds:
                with contextlib.suppress(_Refused):
                    return await self._keep(session, self._renewal(login)), False
            session.login = None
            proof = await self._mint(request.namespace, request.service_account)
            return await self._keep(session, self._counted("login", self._vault.login(request.role, proof))), True

    async def _renewal(self, login: Login) -> Login:
        """Raises :class:`_Refused` where only a new login helps, Troubled where not even that would."""
        try:
            renewed = await self._counted("renew", self._vault.renew(login.token))
        except Troubled as problem:
            if problem.trouble.cause in AWAY:
                raise
            raise _Refused from None
        if renewed.lease_seconds < login.lease_seconds * (1 - USED_SHARE):
            raise _Refused  # it is near its longest life
        return renewed

    async def _keep(self, session: _Session, asked: Awaitable[Login]) -> Login:
        since = self._clock()  # when it was sent: the lease began no earlier
        session.login = await asked
        session.since = since
        return session.login

    async def _end(self, session: _Session, login: Login) -> None:
        async with session.lock:
            if session.login is login:
                session.login = None
                await self._revoke(login)

    async def _counted(self, name: str, asked: Awaitable[Answer]) -> Answer:
        try:
            answer = await asked
        except Troubled as problem:
            self._count(name, problem.trouble.cause)
            raise
        self._count(name, "ok")
        return answer

    def _spare(self) -> bool:
        """Whether this request finds out if Vault is back.  While it is away, all others get the last trouble again."""
        if self._away is None:
            return False
        now = self._clock()
        if now < self._probe_at:
            raise Troubled(self._away.cause, self._away.detail)
        self._probe_at = now + PROBE_MOST
        return True

    def _learn(self, trouble: VaultTrouble | None, is_probe: bool) -> None:
        """Take in from an answer whether Vault is there."""
        cause = trouble.cause if trouble else "ok"
        if trouble is not None and cause in AWAY:
            if self._away is not None and not is_probe:
                return  # sent before it was known
            self._away = trouble
            self._probe_at = self._clock() + min(PROBE_MOST, PROBE_FIRST * 2 ** min(self._failures, 10))
            self._failures += 1
        elif cause in NOT_ASKED:
            if is_probe:
                self._probe_at = self._clock() + PROBE_FIRST
        elif self._away is not None:
            self._away, self._failures = None, 0
            self.returned()


class _Refused(Exception):
    """A renewal was refused."""


def _key(request: VaultRequest) -> tuple[str, str, str]:
    return request.namespace, request.service_account, request.role
