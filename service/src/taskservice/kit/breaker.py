"""A circuit breaker per target, from purgatory: after enough failures in a row nobody waits for it any more.

While it is open, calls are refused at once; after its time one failure opens it again and one success closes it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, OpenedState

from taskservice.kit.metrics import Metrics

STATES = {CLOSED: 0, HALF_OPENED: 1, OPENED: 2}


class CircuitOpen(Exception):
    """The target failed a moment ago and is left alone; `retry_after` is when it is tried again, in seconds."""

    def __init__(self, target: str, retry_after: float) -> None:
        super().__init__(f"{target} is left alone for {retry_after:.1f} s")
        self.retry_after = retry_after


class Breaker:
    """The breaker of one target. Exceptions of an `innocent` class are answers, not failures of it."""

    def __init__(
        self,
        target: str,
        *,
        failures: int,
        seconds: float,
        metrics: Metrics,
        innocent: Sequence[type[BaseException]] = (),
    ) -> None:
        self._target = target
        self._seconds = seconds
        # Somebody who stops waiting says nothing about the target.
        self._factory = AsyncCircuitBreakerFactory(failures, seconds, exclude=[asyncio.CancelledError, *innocent])
        self._metrics = metrics
        metrics.breaker_state(target, STATES[CLOSED])

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Around one call; an exception counts as a failure of the target. Raises CircuitOpen."""
        breaker = await self._factory.get_breaker(self._target)
        try:
            async with breaker:
                yield
        except OpenedState as state:
            # One exception object serves every refusal: what each would add to it would never be freed.
            state.__traceback__ = state.__context__ = None
            raise CircuitOpen(self._target, max(0.0, state.opened_at + self._seconds - time.time())) from None
        finally:
            self._metrics.breaker_state(self._target, STATES[breaker.context.state])
