"""How often something may be done in a window of time, counted in Redis over all processes.

A moving window: at no moment were there more than so many in the time before. Redis away means no limit: that is not
worth an outage, and failed logins are counted in MongoDB besides (`auth.lockout`).
"""

import hashlib
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from taskservice.kit.errors import Problem
from taskservice.kit.redis import Away, BestEffortRedis


class RateLimited(Problem):
    status, code, title = 429, "rate-limited", "Too many requests"

    def __init__(self, seconds: int = 1, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"Try again in {seconds} s.", headers={"Retry-After": str(seconds), **(headers or {})})


@dataclass(frozen=True)
class Rule:
    """A named limit, `login-address` for example."""

    name: str
    item: RateLimitItem

    @classmethod
    def of(cls, name: str, text: str) -> "Rule":
        """From a text like `20/minute`. Raises ValueError."""
        return cls(name, parse(text))


@dataclass(frozen=True)
class Standing:
    """What is left of a limit after a request was counted."""

    rule: Rule
    allowed: bool
    remaining: int
    seconds: int  # until there is more

    @property
    def policy(self) -> str:
        return f'"{self.rule.name}";q={self.rule.item.amount};w={self.rule.item.get_expiry()}'

    @property
    def state(self) -> str:
        return f'"{self.rule.name}";r={self.remaining};t={self.seconds}'


class Counter(Protocol):
    """Counts requests. Never raises for a store that is away."""

    async def count(self, rule: Rule, whose: str) -> Standing | None:
        """Counts one; None when that cannot be known."""
        ...


class WindowCounter:
    """Counter on a storage of the `limits` library."""

    def __init__(self, storage: RedisStorage | MemoryStorage) -> None:
        self._windows = MovingWindowRateLimiter(storage)

    async def count(self, rule: Rule, whose: str) -> Standing | None:
        # Hashed: whose it is may be an email address.
        key = hashlib.sha256(whose.encode()).hexdigest()[:32]
        allowed = await self._windows.hit(rule.item, rule.name, key)
        stats = await self._windows.get_window_stats(rule.item, rule.name, key)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        return Standing(rule, allowed, stats.remaining if allowed else 0, seconds)


class RedisCounter:
    """Counter on Redis, over the connections and behind the breaker of its one client."""

    def __init__(self, redis: BestEffortRedis) -> None:
        self._redis = redis
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="limits",
            connection_pool=redis.connections,  # pyright: ignore[reportArgumentType] - documented, not annotated
        )
        self._counter = WindowCounter(storage)

    async def count(self, rule: Rule, whose: str) -> Standing | None:
        try:
            return await self._redis.call(lambda _: self._counter.count(rule, whose))
        except Away:
            return None


class NoCounter:
    """Counter without a store: nothing is limited."""

    async def count(self, rule: Rule, whose: str) -> Standing | None:
        return None


class Headers(Protocol):
    """What can be given a header."""

    def __setitem__(self, key: str, value: str, /) -> None: ...


@dataclass(frozen=True)
class Limits:
    """Applies rules to requests. `headers` are those of the answer to come."""

    counter: Counter

    @asynccontextmanager
    async def applied(self, headers: Headers, *wanted: tuple[Rule, str]) -> AsyncIterator[None]:
        """Around what is limited. The answer says how each rule stands, also a refusal's.

        Raises RateLimited by the first rule that is used up; those after it do not count the request.
        """
        told: dict[str, str] = {}
        for rule, whose in wanted:
            standing = await self.counter.count(rule, whose)
            if standing is None:
                continue
            for name, value in (("RateLimit-Policy", standing.policy), ("RateLimit", standing.state)):
                told[name] = f"{told[name]}, {value}" if name in told else value
            if not standing.allowed:
                raise RateLimited(standing.seconds, told)
        for name, value in told.items():
            headers[name] = value
        try:
            yield
        except Problem as problem:
            problem.headers |= told
            raise
