"""How often a message is tried, when it is set aside, and what is counted.

Mocked: database, feed and reminders. What they really do is tested on a real replica set.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from taskservice.activity.entries import Entry
from taskservice.kit.bus import Rejected
from taskservice.kit.errors import Unavailable
from taskservice.kit.events import Event, encode
from taskservice.worker.activity import AlreadyHandled, Place
from taskservice.worker.consumer import Consumer
from taskservice.worker.contract import TaskEvent
from taskservice.worker.metrics import WorkerMetrics

pytestmark = pytest.mark.anyio


class Database:
    """Runs the work; fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.attempts = 0

    async def transaction(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        return await work(None)


class Feed:
    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.last = 0

    async def advance(self, subject: str, sequence: int, session: Any) -> Place:
        before, self.last = self.last, max(self.last, sequence)
        return Place(len(self.entries) + 1, before)

    async def add(self, entry: Entry, session: Any) -> None:
        if entry.id in self.entries:
            raise AlreadyHandled
        self.entries[entry.id] = entry


class Reminders:
    def __init__(self) -> None:
        self.followed: list[int] = []

    async def follow(self, told: TaskEvent, session: Any) -> None:
        self.followed.append(told.event.sequence)


class Bench:
    """A consumer and what it acts on."""

    def __init__(self, *failures: Exception) -> None:
        self.database, self.feed, self.reminders = Database(*failures), Feed(), Reminders()
        self.registry = CollectorRegistry()
        parts: tuple[Any, Any, Any] = (self.database, self.feed, self.reminders)
        self.consumer = Consumer(*parts, WorkerMetrics(self.registry), attempts=3, pause_seconds=0)

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"taskservice_events_{name}_total", labels) or 0


def an_event(sequence: int = 1, kind: str = "task.updated", version: int = 1) -> bytes:
    now = datetime.now(UTC)
    data = {"task": {"title": "Buy milk"}}
    event = Event(
        type=kind,
        subject="t1",
        sequence=sequence,
        owner="ann",
        actor="bob",
        occurred_at=now,
        version=version,
        data=data,
    )
    return encode(event)


async def test_an_event_becomes_an_entry_for_the_people_it_concerns() -> None:
    bench = Bench()
    await bench.consumer.handle(an_event())
    (entry,) = bench.feed.entries.values()
    assert (entry.task, entry.title, entry.actor, entry.people, entry.order) == (
        "t1",
        "Buy milk",
        "bob",
        ["ann", "bob"],
        1,
    )
    assert bench.counted("handled", type="task.updated", result="applied") == 1
    assert bench.counted("gaps") == 0


async def test_a_second_delivery_changes_nothing() -> None:
    bench, body = Bench(), an_event()
    await bench.consumer.handle(body)
    await bench.consumer.handle(body)
    assert len(bench.feed.entries) == 1
    assert bench.reminders.followed == [1]
    assert bench.counted("handled", type="task.updated", result="duplicate") == 1


async def test_an_event_that_comes_late_is_told_but_sets_no_reminder() -> None:
    bench = Bench()
    await bench.consumer.handle(an_event(1))
    await bench.consumer.handle(an_event(3))
    await bench.consumer.handle(an_event(2))
    assert len(bench.feed.entries) == 3
    assert bench.reminders.followed == [1, 3]
    assert bench.counted("handled", type="task.updated", result="late") == 1
    assert bench.counted("gaps") == 2


async def test_a_database_that_is_away_is_waited_for_beyond_the_attempts() -> None:
    bench = Bench(*[Unavailable("away")] * 10)
    await bench.consumer.handle(an_event())
    assert bench.database.attempts == 11
    assert bench.counted("handled", type="task.updated", result="applied") == 1
    assert bench.counted("failed", type="task.updated", error="Unavailable") == 10


async def test_another_failure_is_tried_again_and_then_set_aside_with_its_name() -> None:
    bench = Bench(*[ZeroDivisionError()] * 3)
    with pytest.raises(Rejected, match=r"task.updated failed 3 times, the last time with ZeroDivisionError"):
        await bench.consumer.handle(an_event())
    assert bench.counted("dead", type="task.updated") == 1
    assert bench.feed.entries == {}


async def test_a_failure_that_passes_leaves_no_mark() -> None:
    bench = Bench(ZeroDivisionError(), ZeroDivisionError())
    await bench.consumer.handle(an_event())
    assert len(bench.feed.entries) == 1


async def test_what_it_cannot_understand_never_reaches_the_database() -> None:
    bench = Bench()
    with pytest.raises(Rejected):
        await bench.consumer.handle(an_event(version=2))
    await bench.consumer.handle(an_event(kind="invoice.paid"))
    assert bench.database.attempts == 0
    assert bench.counted("dead", type="unknown") == 1
    assert bench.counted("handled", type="other", result="ignored") == 1
