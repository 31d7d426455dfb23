"""The end that asks: gRPC first, HTTP when gRPC does not get through, all within one deadline.

A look-up only reads, so an attempt that failed may be repeated: once per way, after a jittered pause, and only within
the retry budget. Each way has a circuit breaker, so a dead one costs nothing after a few calls.
"""

import asyncio
import logging
import math
import time
from collections.abc import Collection, Sequence

from taskservice.directory.cards import MAX_IDS, UserCard
from taskservice.directory.targets import NoAnswer, Refused, Target
from taskservice.kit.breaker import Breaker, CircuitOpen
from taskservice.kit.errors import Unavailable
from taskservice.kit.logging import event
from taskservice.kit.metrics import Metrics
from taskservice.kit.retry import Deadline, RetryBudget, pause

log = logging.getLogger(__name__)

ATTEMPTS = 2


class RemoteDirectory:
    """Directory over one or more targets, in order of preference. `close` when done."""

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        metrics: Metrics,
        timeout_seconds: float,
        attempt_seconds: float,
        breaker_failures: int,
        breaker_seconds: float,
        budget: RetryBudget | None = None,
    ) -> None:
        self._ways = [
            (
                target,
                Breaker(
                    target.name,
                    failures=breaker_failures,
                    seconds=breaker_seconds,
                    metrics=metrics,
                    innocent=[Refused],
                ),
            )
            for target in targets
        ]
        self._metrics = metrics
        self._timeout = timeout_seconds
        self._attempt = attempt_seconds
        self._budget = budget or RetryBudget()

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        """The cards of those that exist. Raises Unavailable, when it may be worth asking again in Retry-After."""
        wanted = list(dict.fromkeys(ids))
        deadline = Deadline(self._timeout)
        batches = [wanted[at : at + MAX_IDS] for at in range(0, len(wanted), MAX_IDS)]
        found: dict[str, UserCard] = {}
        for batch in batches:
            found |= {card.id: card for card in await self._find(batch, deadline)}
        return found

    async def close(self) -> None:
        for target, _ in self._ways:
            await target.close()

    async def _find(self, ids: list[str], deadline: Deadline) -> list[UserCard]:
        self._budget.earn()
        waits = []
        for target, breaker in self._ways:
            try:
                return await self._ask(target, breaker, ids, deadline)
            except CircuitOpen as circuit:
                waits.append(circuit.retry_after)
            except NoAnswer:
                pass
        soonest = math.ceil(min(waits)) if len(waits) == len(self._ways) else 1
        raise Unavailable("The user directory did not answer in time.", retry_after=max(1, soonest))

    async def _ask(self, target: Target, breaker: Breaker, ids: list[str], deadline: Deadline) -> list[UserCard]:
        for attempt in range(1, ATTEMPTS + 1):
            if deadline.left <= 0:
                raise NoAnswer("deadline")
            try:
                async with breaker.guarding():
                    return await self._measured(target, ids, min(self._attempt, deadline.left))
            except NoAnswer:
                wait = pause(attempt)
                if attempt == ATTEMPTS or wait >= deadline.left or not self._budget.spend():
                    raise
                self._metrics.count_retry(target.name)
                await asyncio.sleep(wait)
            except Refused as refusal:
                # Not a failure of theirs but a mistake between us; another way would be answered the same.
                event(log, "directory_refused", logging.ERROR, target=target.name, code=str(refusal))
                raise Unavailable("The user directory could not be asked.") from None
        raise AssertionError("every attempt returns or raises")

    async def _measured(self, target: Target, ids: list[str], seconds: float) -> list[UserCard]:
        started = time.perf_counter()
        outcome = "CANCELLED"
        try:
            cards = await target.ask(ids, seconds)
            outcome = "OK"
            return cards
        except (NoAnswer, Refused) as failure:
            outcome = str(failure)
            raise
        finally:
            self._metrics.observe_call_made(target.name, outcome, time.perf_counter() - started)
