"""What was acknowledged is there, whatever happens to the primary: a ledger is compared at the end."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from taskservice.kit.errors import Unavailable
from taskservice.kit.mongo import Mongo
from taskservice.tasks import events
from taskservice.tasks.listing import Query, Scope, list_of
from taskservice.tasks.model import Change, Task
from taskservice.tasks.repository import MongoTasks
from testkit.mongod import ReplicaSet
from testkit.tasks import a_task, mongo_tasks

pytestmark = pytest.mark.anyio

WRITERS = 6


def retitled(task: Task) -> Change:
    return Change(*events.updated(task, replace(task, title="x", version=task.version + 1), "ann"))


async def write_during(event: Callable[[], None], tasks: MongoTasks, counted: Task) -> tuple[set[str], int, int]:
    """Writes until three seconds after the event; returns acknowledged ids, acknowledged updates, refusals."""
    acknowledged: set[str] = set()
    updates = refused = 0
    stop = asyncio.Event()

    async def writer() -> None:
        nonlocal updates, refused
        while not stop.is_set():
            task = a_task(assignee="bob", sequence=0)
            try:
                await tasks.add(*events.created(task, "ann"))
                acknowledged.add(task.id)
                if await tasks.change(counted.id, retitled):
                    updates += 1
            except Unavailable:
                refused += 1

    writers = [asyncio.create_task(writer()) for _ in range(WRITERS)]
    await asyncio.sleep(0.5)
    before = len(acknowledged)
    await asyncio.to_thread(event)
    during = len(acknowledged)
    async with asyncio.timeout(60):
        while len(acknowledged) < during + 50:  # noqa: ASYNC110 - writes go on, which is what is waited for
            await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*writers)
    assert before
    return acknowledged, updates, refused


async def everything(tasks: MongoTasks) -> set[str]:
    """The ids of all tasks, after a look at whether both lists they are in agree."""
    mine, assigned = [
        {task.id for task in await tasks.page(Query(name, 1_000_000))}
        for name in (list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "bob"))
    ]
    assert mine == assigned
    return mine


@pytest.mark.parametrize("event", ["step_down", "kill"])
async def test_no_acknowledged_write_is_lost(event: str, database: Mongo, replica_set: ReplicaSet) -> None:
    tasks, counted = mongo_tasks(database), a_task(assignee="bob")
    await tasks.add(*events.created(replace(counted, sequence=0), "ann"))
    primary = replica_set.wait_for_primary()
    try:
        act = replica_set.step_down if event == "step_down" else primary.kill
        acknowledged, updates, refused = await write_during(act, tasks, counted)
        assert replica_set.wait_for_primary() is not primary
        assert acknowledged <= await everything(tasks)
        final = await tasks.get(counted.id)
        assert final is not None
        # A retried update must not count twice; a refused one may have happened.
        assert updates <= final.version - 1 <= updates + refused
    finally:
        if event == "kill":
            primary.start()
        with contextlib.suppress(RuntimeError):
            replica_set.wait_for_primary()
