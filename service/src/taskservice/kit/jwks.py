"""The issuer's key set, fetched over HTTP and kept.

A set that is too old is refreshed in the background while it keeps serving; an unknown key id asks again, at
most once per cool-down. When the issuer is down, the keys at hand stay good: tokens do not become invalid.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from taskservice.kit.errors import Unavailable
from taskservice.kit.jwt import parse_key_set
from taskservice.kit.logging import event

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024


class KeySetFetcher(Protocol):
    """Reads the published key set. Raises any exception when it cannot."""

    async def __call__(self) -> dict[str, Ed25519PublicKey]: ...


class HttpKeySet:
    """Fetches a key set from one address. `close` when done."""

    def __init__(self, url: str, timeout_seconds: float, transport: httpx2.AsyncBaseTransport | None = None):
        self._url = url
        self._client = httpx2.AsyncClient(
            timeout=timeout_seconds, follow_redirects=False, trust_env=False, transport=transport
        )

    async def __call__(self) -> dict[str, Ed25519PublicKey]:
        response = await self._client.get(self._url, headers={"Accept": "application/json"})
        response.raise_for_status()
        if len(response.content) > MAX_BYTES:
            raise ValueError("the key set is too large")
        keys = parse_key_set(response.json())
        if not keys:
            raise ValueError("the key set holds no usable key")
        return keys

    async def close(self) -> None:
        await self._client.aclose()


class CachedKeys:
    """A KeySource over a fetcher. Times are seconds of a monotonic clock."""

    def __init__(
        self,
        fetch: KeySetFetcher,
        *,
        max_age_seconds: float,
        cooldown_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._max_age = max_age_seconds
        self._cooldown = cooldown_seconds
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] | None = None
        self._fetched_at = self._asked_at = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        known = self._keys.get(kid) if self._keys is not None else None
        if known is None:
            await self._ask()
            if self._keys is None:
                raise Unavailable("The signing keys are not known yet.")
            return self._keys.get(kid)
        if self._clock() - self._fetched_at > self._max_age:
            self._start()
        return known

    async def warm(self) -> None:
        """Fetches once, now. Raises Unavailable."""
        self._asked_at = float("-inf")
        await self._ask()
        if self._keys is None:
            raise Unavailable("The signing keys could not be fetched.")

    async def close(self) -> None:
        if self._refreshing:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    def _start(self) -> None:
        if self._refreshing is None and self._clock() - self._asked_at > self._cooldown:
            self._asked_at = self._clock()
            self._refreshing = asyncio.create_task(self._refresh())

    async def _ask(self) -> None:
        self._start()
        if self._refreshing is not None:
            await asyncio.shield(self._refreshing)

    async def _refresh(self) -> None:
        try:
            self._keys = await self._fetch()
            self._fetched_at = self._clock()
        except Exception as error:  # any failure means the same: keep what we have
            event(log, "jwks_refresh_failed", logging.WARNING, error=type(error).__name__)
        finally:
            self._refreshing = None
