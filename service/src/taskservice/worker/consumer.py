"""Handles one message: once in effect, as often as it takes, and never at the price of the order.

A database that is away is waited for; the messages behind this one wait too. A message that fails for another
reason is tried a few times and then rejected, so that it cannot hold up the others for ever.
"""

import asyncio
import logging
from datetime import UTC, datetime

from taskservice.activity.entries import Entry
from taskservice.kit.bus import Rejected
from taskservice.kit.errors import Unavailable
from taskservice.kit.logging import event
from taskservice.kit.mongo import Session, Transactions
from taskservice.worker.activity import AlreadyHandled, Feed, Place
from taskservice.worker.contract import TaskEvent, interpret
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.reminders import Reminders

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0


class Consumer:
    """The handler of the bus."""

    def __init__(
        self,
        database: Transactions,
        feed: Feed,
        reminders: Reminders,
        metrics: WorkerMetrics,
        *,
        attempts: int,
        pause_seconds: float,
    ) -> None:
        self._database = database
        self._feed = feed
        self._reminders = reminders
        self._metrics = metrics
        self._attempts = attempts
        self._pause_seconds = pause_seconds

    async def handle(self, body: bytes) -> None:
        """Returns when the event has had its effect. Raises Rejected."""
        try:
            told = interpret(body)
        except Rejected as reason:
            self._metrics.dead.labels("unknown").inc()
            event(log, "event_rejected", logging.ERROR, reason=str(reason))
            raise
        if told is None:
            self._metrics.handled.labels("other", "ignored").inc()
            return
        kind = told.event.type
        try:
            result = await self._until_applied(told)
        except Rejected as reason:
            self._metrics.dead.labels(kind).inc()
            event(log, "event_rejected", logging.ERROR, reason=str(reason), **_identity(told))
            raise
        self._metrics.handled.labels(kind, result).inc()
        self._metrics.delay.observe(max((datetime.now(UTC) - told.event.occurred_at).total_seconds(), 0.0))
        event(log, "event_handled", logging.DEBUG, result=result, **_identity(told))

    async def _until_applied(self, told: TaskEvent) -> str:
        kind, failures, pause = told.event.type, 0, self._pause_seconds
        while True:
            try:
                place = await self._database.transaction(lambda session: self._apply(told, session))
            except AlreadyHandled:
                return "duplicate"
            except Unavailable:
                self._metrics.failed.labels(kind, "Unavailable").inc()
                event(log, "event_waits", logging.WARNING, **_identity(told))
            except Exception as error:
                # Whatever it is: counted, said, tried again, and in the end set aside with its name.
                name = type(error).__name__
                failures += 1
                self._metrics.failed.labels(kind, name).inc()
                event(log, "event_failed", logging.WARNING, error=name, attempt=failures, **_identity(told))
                if failures >= self._attempts:
                    log.exception("event_given_up")
                    raise Rejected(f"{kind} failed {failures} times, the last time with {name}") from error
            else:
                self._note(told, place)
                return "applied" if _is_news(told, place) else "late"
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _apply(self, told: TaskEvent, session: Session) -> Place:
        about = told.event
        place = await self._feed.advance(about.subject, about.sequence, session)
        await self._feed.add(_entry(told, place), session)
        if _is_news(told, place):
            await self._reminders.follow(told, session)
        return place

    def _note(self, told: TaskEvent, place: Place) -> None:
        """An event that does not follow is a sign of trouble: one before it was set aside, or the bus lost it."""
        if told.event.sequence != place.last + 1:
            self._metrics.gaps.inc()
            event(log, "event_gap", logging.WARNING, last=place.last, **_identity(told))


def _is_news(told: TaskEvent, place: Place) -> bool:
    """False for an event that comes after newer ones, from the dead letters: it tells of a state that has passed."""
    return told.event.sequence > place.last


def _entry(told: TaskEvent, place: Place) -> Entry:
    about = told.event
    return Entry(
        id=about.id,
        type=about.type,
        task=about.subject,
        title=told.task.title,
        owner=about.owner,
        actor=about.actor,
        people=told.people,
        at=about.occurred_at,
        details=told.details,
        sequence=about.sequence,
        order=place.order,
    )


def _identity(told: TaskEvent) -> dict[str, object]:
    about = told.event
    fields: dict[str, object] = {"id": about.id, "type": about.type, "task": about.subject, "sequence": about.sequence}
    if about.traceparent and about.traceparent.count("-") == 3:
        fields["trace_id"] = about.traceparent.split("-")[1]
    return fields
