"""What is shown of the outbox: how much waits in it, and how long the oldest has waited."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from taskservice.kit.events import Event
from taskservice.kit.mongo import Mongo
from taskservice.kit.outbox import OUTBOX, MongoOutbox
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.relay import LagWatch

pytestmark = pytest.mark.anyio


def an_event(subject: str, sequence: int) -> Event:
    now = datetime.now(UTC)
    return Event(type="task.updated", subject=subject, sequence=sequence, owner="ann", actor="ann", occurred_at=now)


async def test_the_oldest_unsent_event_says_how_far_the_relay_is_behind(database: Mongo) -> None:
    registry = CollectorRegistry()
    rows = database.collection(OUTBOX)
    watch = LagWatch(rows, WorkerMetrics(registry))

    async def shown() -> tuple[float, float]:
        await watch.measure()
        values = [registry.get_sample_value(f"taskservice_outbox_{name}") for name in ("pending", "lag_seconds")]
        assert None not in values
        return values[0] or 0.0, values[1] or 0.0

    assert await shown() == (0, 0)
    outbox = MongoOutbox(rows)
    some = [an_event(f"t{n}", 1) for n in range(5)]
    await database.transaction(lambda session: outbox.append(session, some))
    ages = (7200, 3600, 1800, 60, 0)
    for event, age in zip(some, ages, strict=True):
        appended = datetime.now(UTC) - timedelta(seconds=age)
        await rows.update_one({"subject": event.subject}, {"$set": {"appendedAt": appended}})
    pending, lag = await shown()
    assert pending == 5
    assert 7200 <= lag < 7500

    # What was sent counts no longer, whatever its age, and neither does a clock that is ahead.
    sent = {"$set": {"publishedAt": datetime.now(UTC)}, "$unset": {"pending": ""}}
    await rows.update_many({"subject": {"$in": ["t0", "t1"]}}, sent)
    pending, lag = await shown()
    assert pending == 3
    assert 1800 <= lag < 2100
    await rows.update_many({"subject": {"$in": ["t2", "t3"]}}, sent)
    await rows.update_one({"subject": "t4"}, {"$set": {"appendedAt": datetime.now(UTC) + timedelta(hours=1)}})
    assert await shown() == (1, 0)
