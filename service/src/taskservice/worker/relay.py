"""Moves events from the outbox to the bus: in the order of each task, at least once.

A row is marked only after the broker has confirmed its event, so a death in between publishes it again. Polling,
not a change stream: an index holds just what is pending, a look at it costs little, and there is no position
to lose. Reading from the start of each task's pending rows makes the order independent of clocks.
"""

import asyncio
import logging
from datetime import UTC, datetime

from taskservice.kit.bus import Bus, BusAway, Message
from taskservice.kit.errors import Unavailable
from taskservice.kit.lease import LeaseLost, Term
from taskservice.kit.logging import event
from taskservice.kit.mongo import ASCENDING, Collection, Document, Session, Transactions, translated
from taskservice.kit.outbox import PENDING_OLDEST
from taskservice.worker.contract import VERSIONS
from taskservice.worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 32  # tasks whose events are on their way at the same time
MOST_COUNTED = 10_000
LAG_SECONDS = 5.0
_PENDING = {"pending": True}


class Relay:
    """Publishes while this process holds the lease."""

    def __init__(
        self,
        database: Transactions,
        rows: Collection,
        bus: Bus,
        metrics: WorkerMetrics,
        *,
        batch: int,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._rows = rows
        self._bus = bus
        self._metrics = metrics
        self._batch = batch
        self._poll_seconds = poll_seconds
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)
        self._away = False

    async def run(self, term: Term) -> None:
        """Until cancelled. Raises LeaseLost or Unavailable."""
        while True:
            if not await self.forward(term):
                await asyncio.sleep(self._poll_seconds)

    async def forward(self, term: Term) -> int:
        """Publishes one batch and marks what was confirmed; returns how many that were."""
        by_subject: dict[str, list[Document]] = {}
        for row in await self._pending():
            by_subject.setdefault(row["subject"], []).append(row)
        if not by_subject:
            return 0
        term.check()
        confirmed: list[str] = []
        await asyncio.gather(*(self._publish(rows, term, confirmed) for rows in by_subject.values()))
        if confirmed:
            await self._database.transaction(lambda session: self._mark(confirmed, term, session))
        return len(confirmed)

    async def _pending(self) -> list[Document]:
        """All pending rows of the tasks that wait longest, lowest sequence first, up to twice the batch."""
        async with translated():
            oldest = self._rows.find(_PENDING).sort("appendedAt", ASCENDING).limit(self._batch)
            subjects = list({row["subject"]: None for row in await oldest.to_list(self._batch)})
            if not subjects:
                return []
            # Not the same rows: of a task only the first ones may go, whatever time their writers believed it was.
            query = self._rows.find({**_PENDING, "subject": {"$in": subjects}})
            return await query.sort([("subject", 1), ("sequence", 1)]).limit(2 * self._batch).to_list(2 * self._batch)

    async def _publish(self, rows: list[Document], term: Term, confirmed: list[str]) -> None:
        """Publishes the rows of one task one after the other, up to the first that is not confirmed."""
        async with self._free:
            for row in rows:
                try:
                    term.check()
                    await self._bus.publish(Message(row["subject"], row["body"].encode(), {"type": row["type"]}))
                except LeaseLost:
                    return
                except BusAway:
                    self._metrics.publish_failures.inc()
                    self._say_away(True)
                    return
                self._say_away(False)
                confirmed.append(row["_id"])
                self._metrics.published.labels(row["type"] if row["type"] in VERSIONS else "other").inc()

    async def _mark(self, confirmed: list[str], term: Term, session: Session) -> None:
        await term.fence(session)
        subjects = sorted({row_id.rpartition(":")[0] for row_id in confirmed})
        await self._rows.update_many(
            {"_id": {"$in": confirmed}, "subject": {"$in": subjects}},
            {"$set": {"publishedAt": datetime.now(UTC)}, "$unset": {"pending": ""}},
            session=session,
        )

    def _say_away(self, away: bool) -> None:
        if away != self._away:
            self._away = away
            event(log, "bus_away" if away else "bus_back", logging.WARNING if away else logging.INFO)


class LagWatch:
    """Measures what waits in the outbox. In every worker: a relay that nobody runs is what one wants to see."""

    def __init__(self, rows: Collection, metrics: WorkerMetrics) -> None:
        self._rows = rows
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.measure()
            except Unavailable as error:
                event(log, "lag_unknown", logging.WARNING, error=type(error.__cause__).__name__)
            await asyncio.sleep(LAG_SECONDS)

    async def measure(self) -> None:
        """Raises Unavailable."""
        async with translated():
            # Named, because no condition is about a member of it: the planner would read the whole collection.
            waiting = await self._rows.count_documents(_PENDING, limit=MOST_COUNTED, hint=PENDING_OLDEST)
            self._metrics.pending.set(waiting)
            oldest = await self._rows.find(_PENDING).sort("appendedAt", ASCENDING).limit(1).to_list(1)
        age = (datetime.now(UTC) - oldest[0]["appendedAt"]).total_seconds() if oldest else 0.0
        self._metrics.lag.set(max(age, 0.0))
