"""A queue of keys: each at most once in it, never two workers on one, failures back off, changes come first.

Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from taskservice_operator.cluster.port import Ref
from taskservice_operator.metrics import Metrics

BACKOFF_FIRST = 0.05
BACKOFF_MOST = 10.0
BACKOFF_JITTER = 0.25
"""A share added at random, so that keys that failed together do not return together."""


class Priority(IntEnum):
    """Which of two waiting keys is taken first: a change never waits behind a resync of everything else."""

    CHANGE = 0
    RESYNC = 1


@dataclass
class _Waiting:
    priority: Priority
    since: float


class WorkQueue:
    """Keys to be looked at.  Not for several event loops or threads."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._metrics = metrics
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._jitter = jitter
        self._lanes: tuple[deque[Ref], deque[Ref]] = (deque(), deque())
        self._waiting: dict[Ref, _Waiting] = {}
        self._working: dict[Ref, float] = {}
        self._again: dict[Ref, Priority] = {}
        self._failures: dict[Ref, int] = {}
        self._due: dict[Ref, float] = {}
        self._timers: list[tuple[float, Ref]] = []
        self._changed = asyncio.Event()

    def add(self, ref: Ref, priority: Priority = Priority.CHANGE) -> None:
        """Have the key looked at soon.  Once more afterwards, if it is being looked at right now."""
        if ref in self._working:
            self._again[ref] = min(priority, self._again.get(ref, priority))
            return
        waiting = self._waiting.get(ref)
        if waiting is not None:
            if priority < waiting.priority:
                waiting.priority = priority
                self._lanes[priority].append(ref)  # its place in the slower lane is skipped later
                self._changed.set()
            return
        self._waiting[ref] = _Waiting(priority, self._clock())
        self._lanes[priority].append(ref)
        self._metrics.adds.inc()
        self._metrics.depth.set(len(self._waiting))
        self._changed.set()

    def schedule(self, ref: Ref, seconds: float) -> None:
        """Have the key looked at after some time.  The last word counts: an earlier schedule is replaced."""
        at = self._clock() + max(0.0, seconds)
        self._due[ref] = at
        heapq.heappush(self._timers, (at, ref))
        self._changed.set()

    def retry(self, ref: Ref, least: float | None = None) -> float:
        """Schedule the key after a failure, each time later; return the seconds.  ``least``: what was asked for."""
        failures = self._failures.get(ref, 0)
        self._failures[ref] = failures + 1
        seconds = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** min(failures, 30))
        seconds = max(seconds, least or 0.0) * (1 + BACKOFF_JITTER * self._jitter())
        self._metrics.retries.inc()
        self.schedule(ref, seconds)
        return seconds

    def succeeded(self, ref: Ref) -> None:
        """Start the key's back-off anew."""
        self._failures.pop(ref, None)

    def unschedule(self, ref: Ref) -> None:
        """Drop the schedule of a key: only a change concerns it now."""
        self._due.pop(ref, None)

    def forget(self, ref: Ref) -> None:
        """Drop back-off and schedule of a key that is no more."""
        self._failures.pop(ref, None)
        self._due.pop(ref, None)

    async def take(self) -> Ref:
        """Wait for the next key; the caller must call :meth:`done` with it."""
        while True:
            self._wake_due()
            ref = self._next()
            if ref is not None:
                return ref
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), self._until_next_timer())
            except TimeoutError:
                continue

    def done(self, ref: Ref) -> None:
        """Give the key back; if it was added meanwhile, it waits again."""
        started = self._working.pop(ref)
        self._metrics.work_seconds.observe(self._clock() - started)
        if ref in self._again:
            self.add(ref, self._again.pop(ref))

    def oldest_seconds(self) -> float:
        """How long the longest-waiting or longest-worked-on key has taken so far: for the liveness probe."""
        now = self._clock()
        changes = (waiting.since for waiting in self._waiting.values() if waiting.priority is Priority.CHANGE)
        return now - min((*changes, *self._working.values()), default=now)

    def __len__(self) -> int:
        return len(self._waiting)

    def _next(self) -> Ref | None:
        for priority, lane in zip(Priority, self._lanes, strict=True):
            while lane:
                ref = lane.popleft()
                waiting = self._waiting.get(ref)
                if waiting is None or waiting.priority != priority:
                    continue
                del self._waiting[ref]
                now = self._clock()
                self._working[ref] = now
                self._metrics.depth.set(len(self._waiting))
                self._metrics.queue_seconds.observe(now - waiting.since)
                if len(self._waiting):
                    self._changed.set()  # one event may have announced several keys
                return ref
        return None

    def _wake_due(self) -> None:
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            at, ref = heapq.heappop(self._timers)
            if self._due.get(ref) == at:
                del self._due[ref]
                self.add(ref)

    def _until_next_timer(self) -> float | None:
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - self._clock()) if self._timers else None


class TokenBucket:
    """At most ``burst`` at once and ``rate`` per second in the long run."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] | None = None) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._tokens = float(burst)
        self._filled_at: float | None = None

    async def take(self) -> None:
        """Wait for a token.  Those who wait are served in turn."""
        now = self._clock()
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)
