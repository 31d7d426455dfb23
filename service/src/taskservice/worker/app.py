"""Puts the worker together."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from taskservice.activity import repository as activity
from taskservice.activity.repository import MongoActivity
from taskservice.kit import bus, mongo
from taskservice.kit.app import Runtime
from taskservice.kit.bus import DeadLetter
from taskservice.kit.lease import LEASES, Lease, Term
from taskservice.kit.outbox import INDEXES as OUTBOX_INDEXES
from taskservice.kit.outbox import OUTBOX
from taskservice.kit.settings import WorkerSettings
from taskservice.kit.warmup import warming
from taskservice.worker import activity as progress
from taskservice.worker import reminders
from taskservice.worker.activity import PROGRESS, Feed
from taskservice.worker.consumer import Consumer
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.relay import LagWatch, Relay
from taskservice.worker.reminders import REMINDERS, FeedNotifier, Reminders, Scheduler

LEASE = "relay"


async def work(settings: WorkerSettings, runtime: Runtime) -> None:
    """Everything the worker does, until cancelled; ready once database and broker have answered."""
    metrics = WorkerMetrics(runtime.metrics.registry)
    async with AsyncExitStack() as stack:
        database = mongo.connect(settings, runtime.metrics)
        stack.push_async_callback(database.close)
        events = bus.connect(settings)
        stack.push_async_callback(events.stop)

        feed = Feed(MongoActivity(database), database.collection(PROGRESS))
        due = Reminders(database.collection(REMINDERS))
        rows = database.collection(OUTBOX)
        consumer = Consumer(
            database,
            feed,
            due,
            metrics,
            attempts=settings.handle_attempts,
            pause_seconds=settings.handle_pause_seconds,
        )
        relay = Relay(
            database, rows, events, metrics, batch=settings.relay_batch, poll_seconds=settings.relay_poll_seconds
        )
        scheduler = Scheduler(
            database,
            due,
            FeedNotifier(feed),
            poll_seconds=settings.reminder_poll_seconds,
            batch=settings.reminder_batch,
            count=metrics.reminders.inc,
        )

        async def lead(term: Term) -> None:
            await _both(relay.run(term), scheduler.run(term))

        lease = Lease(
            database.collection(LEASES), LEASE, settings.lease_seconds, on_change=lambda held: metrics.leading.set(held)
        )
        indexes = OUTBOX_INDEXES | activity.INDEXES | progress.INDEXES | reminders.INDEXES
        steps = {
            "mongo": lambda: database.ensure_indexes(indexes),
            "bus": lambda: events.start(consumer.handle),
        }
        await stack.enter_async_context(warming(runtime.health, steps))
        async with asyncio.TaskGroup() as group:
            group.create_task(lease.hold(lead))
            group.create_task(LagWatch(rows, metrics).run())


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Until one ends, and then neither runs. Raises what that one raised, which a task group would wrap."""
    tasks = [asyncio.create_task(first), asyncio.create_task(second)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def replay(settings: WorkerSettings, limit: int, *, dry_run: bool) -> list[DeadLetter]:
    """Puts dead letters back. Raises BusAway."""
    events = bus.connect(settings)
    try:
        await events.start()
        return await events.replay(limit, dry_run=dry_run)
    finally:
        await events.stop()
