"""Secrets in Vault, read again and again, for as long as some TaskService asks for them.

A key/value store gives no lease and tells nobody of a change, so each secret is read at an interval; who asks for the
same as the same ServiceAccount shares the answer.  A TaskService is woken when an answer is another than before.
One failed attempt does not count while a good answer is known: leaders change, and connections break.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from taskservice_operator.cluster.errors import ClusterError, Forbidden, NotFound
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import VaultAnswer, VaultContent, VaultRequest, VaultTrouble
from taskservice_operator.vault.port import Troubled
from taskservice_operator.vault.sessions import AWAY, Mint

RETRY_FIRST = 2.0
RETRY_MOST = 10.0
"""While Vault is away: the sessions ask it once for all, so it costs little to be back soon."""
JITTER = 0.2
"""Share of an interval by which it differs at random: what began together does not go on together."""
NOT_CONFIGURED = VaultTrouble("VaultNotConfigured")

log = logging.getLogger(__name__)


class Reader(Protocol):
    """What of the sessions we need."""

    returned: Callable[[], None]

    async def read(self, request: VaultRequest) -> VaultContent: ...
    async def retain(self, requests: Iterable[VaultRequest]) -> None: ...
    async def close(self) -> None: ...


@dataclass
class _Followed:
    """A secret that is asked for by ``refs``; ``nudged``: read it now."""

    refs: set[Ref]
    answer: VaultAnswer | None = None
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Vaulting:
    """Follows secrets in the background.  ``reader`` None: no Vault is configured."""

    def __init__(
        self,
        reader: Reader | None,
        changed: Callable[[Ref], None],
        *,
        poll_seconds: float = 60.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._reader = reader
        self._changed = changed
        self._poll_seconds = poll_seconds
        self._jitter = jitter
        self._followed: dict[VaultRequest, _Followed] = {}
        self._asked: dict[Ref, frozenset[VaultRequest]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        if reader is not None:
            reader.returned = self._read_what_failed

    @property
    def troubled(self) -> int:
        """Secrets that could not be read the last time."""
        return sum(isinstance(followed.answer, VaultTrouble) for followed in self._followed.values())

    def answers(self, ref: Ref, requests: frozenset[VaultRequest]) -> Mapping[VaultRequest, VaultAnswer]:
        """What is known of what a TaskService asks for now.  What is not known is begun to be read."""
        if self._reader is None:
            return dict.fromkeys(requests, NOT_CONFIGURED)
        self._follow(self._reader, ref, requests)
        known = ((request, self._followed[request].answer) for request in requests)
        return {request: answer for request, answer in known if answer is not None}

    def forget(self, ref: Ref) -> None:
        """Stop following what only a TaskService that is no more has asked for."""
        if self._reader is not None:
            self._follow(self._reader, ref, frozenset())

    async def close(self) -> None:
        """Stop following everything and end all sessions."""
        tasks = [followed.task for followed in self._followed.values() if followed.task]
        for task in (*tasks, *self._ending):
            task.cancel()
        await asyncio.gather(*tasks, *self._ending, return_exceptions=True)
        if self._reader is not None:
            await self._reader.close()

    def _follow(self, reader: Reader, ref: Ref, requests: frozenset[VaultRequest]) -> None:
        before = self._asked.get(ref, frozenset())
        if before == requests:
            return
        for request in requests - before:
            followed = self._followed.setdefault(request, _Followed(set()))
            followed.refs.add(ref)
            if followed.task is None:
                followed.task = asyncio.create_task(self._poll(reader, request, followed), name=f"vault {request}")
        for request in before - requests:
            followed = self._followed[request]
            followed.refs.discard(ref)
            if not followed.refs and followed.task:
                followed.task.cancel()
                del self._followed[request]
        if requests:
            self._asked[ref] = requests
        else:
            del self._asked[ref]
        if before - requests:
            ending = asyncio.create_task(reader.retain(list(self._followed)), name="ending vault sessions")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _poll(self, reader: Reader, request: VaultRequest, followed: _Followed) -> None:
        failures = 0
        while True:
            answer = await self._ask(reader, request)
            failures = failures + 1 if isinstance(answer, VaultTrouble) else 0
            is_away = isinstance(answer, VaultTrouble) and answer.cause in AWAY
            is_blip = is_away and failures == 1 and isinstance(followed.answer, VaultContent)
            if not is_blip:
                self._take_in(request, followed, answer)
            await self._rest(followed, failures, RETRY_MOST if is_away else self._poll_seconds)

    async def _ask(self, reader: Reader, request: VaultRequest) -> VaultAnswer:
        try:
            return await reader.read(request)
        except Troubled as problem:
            return problem.trouble
        except Exception as error:
            # Its text may quote what was read.
            log.error("vault_read_crashed", extra={"secret": str(request), "error": type(error).__name__})
            return VaultTrouble("VaultUnreachable", f"the operator failed with {type(error).__name__}")

    def _take_in(self, request: VaultRequest, followed: _Followed, answer: VaultAnswer) -> None:
        if answer == followed.answer:
            return
        fields = {"secret": str(request), "role": request.role, "namespace": request.namespace}
        if isinstance(answer, VaultTrouble):
            log.warning("vault_secret_not_read", extra={**fields, "reason": answer.cause, "detail": answer.detail})
        else:
            log.info("vault_secret_read", extra={**fields, "first": followed.answer is None})
        followed.answer = answer
        for ref in followed.refs:
            self._changed(ref)

    async def _rest(self, followed: _Followed, failures: int, most: float) -> None:
        seconds = min(most, self._poll_seconds, RETRY_FIRST * 2 ** min(failures - 1, 20) if failures else most)
        seconds *= 1 + JITTER * (2 * self._jitter() - 1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(followed.nudged.wait(), seconds)
        followed.nudged.clear()

    def _read_what_failed(self) -> None:
        """Vault is back: what was waiting for it need not wait for the end of its patience."""
        for followed in self._followed.values():
            if isinstance(followed.answer, VaultTrouble) and followed.answer.cause in AWAY:
                followed.nudged.set()


def translated(request_token: Callable[[str, str], Awaitable[str]]) -> Mint:
    """What the API server says of a request for a token, in the words of Vault's troubles."""

    async def mint(namespace: str, account: str) -> str:
        try:
            return await request_token(namespace, account)
        except NotFound:
            raise Troubled("VaultAccountMissing") from None
        except Forbidden:
            raise Troubled("VaultTokenRefused") from None
        except ClusterError:
            raise Troubled("VaultTokenUnavailable") from None

    return mint
