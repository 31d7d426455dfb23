"""Reminders: what events make of them, and what is done when one is due. All queries on them.

A task has at most one, kept by the task's id. It is sent in one transaction with the note that it was: once, also
when two workers take each other for dead. Another due date makes it wait again.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from taskservice.activity.entries import Entry
from taskservice.kit.ids import new_id
from taskservice.kit.lease import Term
from taskservice.kit.logging import event
from taskservice.kit.mongo import (
    ASCENDING,
    HASHED,
    Collection,
    Document,
    Index,
    Session,
    ShardKeys,
    Transactions,
    translated,
)
from taskservice.worker.activity import Feed
from taskservice.worker.contract import CLOSED, TaskEvent

log = logging.getLogger(__name__)

REMINDERS = "reminders"
_WAITING = {"state": "waiting"}
INDEXES = {REMINDERS: (Index("waiting_due", (("dueAt", ASCENDING),), partial=_WAITING),)}
SHARD_KEYS: ShardKeys = {REMINDERS: (("_id", HASHED),)}


@dataclass(frozen=True)
class Reminder:
    """A task's due date, for the one who is to do it."""

    task: str
    title: str
    owner: str
    person: str
    due_at: datetime


class Notifier(Protocol):
    """How people are told. What is done through the session happens once; anything else may happen again."""

    async def notify(self, reminder: Reminder, session: Session) -> None: ...


class FeedNotifier:
    """Tells people in their activity feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def notify(self, reminder: Reminder, session: Session) -> None:
        entry = Entry(
            id=new_id(),
            type="reminder.due",
            task=reminder.task,
            title=reminder.title,
            owner=reminder.owner,
            actor=None,
            people=list(dict.fromkeys((reminder.person, reminder.owner))),
            at=reminder.due_at,
            details={"person": reminder.person},
            sequence=await self._feed.last(reminder.task, session),
        )
        await self._feed.add(entry, session)


class Reminders:
    """Reminders on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._reminders = collection

    async def follow(self, told: TaskEvent, session: Session) -> None:
        """Sets, changes or removes the task's reminder. For events in order: an older one must not come here."""
        task, about = told.task, told.event
        if about.type == "task.commented":
            return
        if told.deleted or task.due_at is None or task.status in CLOSED:
            if about.type != "task.created":
                await self._reminders.delete_one({"_id": about.subject}, session=session)
            return
        await self._reminders.update_one(
            {"_id": about.subject},
            [
                {
                    "$set": {
                        "state": {
                            "$cond": [{"$eq": ["$dueAt", task.due_at]}, {"$ifNull": ["$state", "waiting"]}, "waiting"]
                        },
                        "dueAt": task.due_at,
                        # Literal: a title may begin with a dollar sign, which a pipeline would read as a member.
                        "title": {"$literal": task.title},
                        "owner": {"$literal": about.owner},
                        "person": {"$literal": task.assignee or about.owner},
                    }
                }
            ],
            upsert=True,
            session=session,
        )

    async def due(self, now: datetime, limit: int) -> list[Reminder]:
        async with translated():
            found = self._reminders.find({**_WAITING, "dueAt": {"$lte": now}}).sort("dueAt", ASCENDING).limit(limit)
            return [_reminder(document) for document in await found.to_list(limit)]

    async def claim(self, reminder: Reminder, now: datetime, session: Session) -> bool:
        """Marks it as sent; False when it was sent, moved or removed meanwhile."""
        done = await self._reminders.update_one(
            {"_id": reminder.task, **_WAITING, "dueAt": reminder.due_at},
            {"$set": {"state": "sent", "sentAt": now}},
            session=session,
        )
        return done.matched_count == 1


class Scheduler:
    """Sends what is due, while this process holds the lease."""

    def __init__(
        self,
        database: Transactions,
        reminders: Reminders,
        notifier: Notifier,
        *,
        poll_seconds: float,
        batch: int,
        count: Callable[[], Any] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._reminders = reminders
        self._notifier = notifier
        self._poll_seconds = poll_seconds
        self._batch = batch
        self._count = count
        self._now = now

    async def run(self, term: Term) -> None:
        """Until cancelled. Raises LeaseLost or Unavailable."""
        while True:
            if await self.send_due(term) < self._batch:
                await asyncio.sleep(self._poll_seconds)

    async def send_due(self, term: Term) -> int:
        """Sends one batch, oldest first; returns how many were found due."""
        found = await self._reminders.due(self._now(), self._batch)
        for reminder in found:
            term.check()
            if await self._database.transaction(lambda session, one=reminder: self._send(term, one, session)):
                self._count()
                event(log, "reminder_sent", task=reminder.task, person=reminder.person)
        return len(found)

    async def _send(self, term: Term, reminder: Reminder, session: Session) -> bool:
        await term.fence(session)
        if not await self._reminders.claim(reminder, self._now(), session):
            return False
        await self._notifier.notify(reminder, session)
        return True


def _reminder(document: Document) -> Reminder:
    return Reminder(
        task=document["_id"],
        title=document["title"],
        owner=document["owner"],
        person=document["person"],
        due_at=document["dueAt"],
    )
