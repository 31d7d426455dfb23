"""The worker as a process, on a real database and a real broker: from outbox to feed, and back from the dead."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from taskservice.activity.repository import ACTIVITY
from taskservice.kit.events import Event
from taskservice.kit.lease import LEASES, Lease, LeaseLost, Term
from taskservice.kit.mongo import ASCENDING, Mongo, Session
from taskservice.kit.outbox import OUTBOX, MongoOutbox
from taskservice.worker.reminders import REMINDERS
from testkit.mongod import ReplicaSet
from testkit.rabbitmq import RabbitServer

pytestmark = pytest.mark.anyio


def an_event(sequence: int, kind: str = "task.updated", version: int = 1, **task: Any) -> Event:
    now = datetime.now(UTC)
    data = {"task": {"title": f"$step {sequence}", "status": "todo", "due_at": None, "assignee": None} | task}
    return Event(
        type=kind,
        subject="t1",
        sequence=sequence,
        owner="ann",
        actor="ann",
        occurred_at=now,
        version=version,
        data=data,
    )


async def append(database: Mongo, *events: Event) -> None:
    outbox = MongoOutbox(database.collection(OUTBOX))
    await database.transaction(lambda session: outbox.append(session, events))


async def feed(database: Mongo) -> list[dict[str, Any]]:
    return await database.collection(ACTIVITY).find({}).sort("storedAt", ASCENDING).to_list(100)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.1)


async def until_fed(database: Mongo, number: int) -> list[dict[str, Any]]:
    async def enough() -> bool:
        return len(await feed(database)) >= number

    await until(enough)
    return await feed(database)


def metric(worker: Any, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = httpx2.get(f"{worker.management_url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


async def replay(settings: dict[str, str], *options: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "taskservice", "replay", *options]
    done = await asyncio.to_thread(
        subprocess.run, command, env=os.environ | settings, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


async def test_from_the_outbox_to_the_feed_and_back_from_the_dead_letters(
    database: Mongo,
    replica_set: ReplicaSet,
    driver: str,
    rabbit_server: RabbitServer,
    start_service: Callable[..., Any],
) -> None:
    worker = start_service("worker", TASKSERVICE_BUS_URL=rabbit_server.url).wait_until_ready()
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    # A change, a due date that has passed, and a version that this worker does not know.
    await append(database, an_event(1, "task.created", due_at=past, assignee="bob"), an_event(2, version=2))
    entries = await until_fed(database, 2)
    assert [(entry["type"], entry["people"], entry["title"]) for entry in entries] == [
        ("task.created", ["ann", "bob"], "$step 1"),
        ("reminder.due", ["bob", "ann"], "$step 1"),
    ]

    # The same due date again reminds nobody a second time; no due date ends the reminder.
    await append(database, an_event(3, due_at=past, assignee="bob"), an_event(4))
    await until_fed(database, 4)
    assert await database.collection(REMINDERS).count_documents({}) == 0
    assert [entry["type"] for entry in await feed(database)].count("reminder.due") == 1

    # The refused one waits among the dead letters; put back for the same worker, it is refused again.
    settings = {
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DRIVER": driver,
        "TASKSERVICE_BUS_URL": rabbit_server.url,
    }
    line = "t1\ttask.updated has version 2, this worker knows 1: update the worker, then replay\n"
    assert await replay(settings, "--dry-run") == (0, line, "1 would be put back\n")
    assert metric(worker, "taskservice_events_dead_total") == 1
    assert await replay(settings) == (0, line, "1 put back\n")

    async def dead_again() -> bool:
        return metric(worker, "taskservice_events_dead_total") == 2

    await until(dead_again)
    assert len(await feed(database)) == 4
    assert metric(worker, "taskservice_events_published_total") == 4
    assert metric(worker, "taskservice_reminders_sent_total") == 1

    worker.terminate()
    assert await asyncio.to_thread(worker.wait) == 0
    assert {"working", "draining", "stopped"} <= {line["event"] for line in worker.lines()}


@pytest.mark.parametrize("driver", ["motor"], indirect=True)
async def test_what_is_done_through_the_api_reaches_the_feed_once_and_in_order(
    database: Mongo, rabbit_server: RabbitServer, start_service: Callable[..., Any]
) -> None:
    auth = start_service("auth").wait_until_ready()
    tasks = start_service("tasks", TASKSERVICE_JWKS_URL=f"{auth.url}/.well-known/jwks.json").wait_until_ready()
    for _ in range(2):
        start_service("worker", TASKSERVICE_BUS_URL=rabbit_server.url)
    ann = {"email": "ann@example.com", "password": "correct-horse-battery"}
    async with httpx2.AsyncClient(timeout=60) as client:
        await client.post(f"{auth.url}/v1/auth/register", json=ann)
        answer = await client.post(f"{auth.url}/v1/auth/login", json=ann)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        path = tasks.url + (await client.post(f"{tasks.url}/v1/tasks", json={"title": "one"})).headers["location"]
        assert (await client.patch(path, json={"title": "two"})).status_code == 200
        assert (await client.post(f"{path}/comments", json={"text": "done?"})).status_code == 201
        assert (await client.delete(path)).status_code == 204
    await until_fed(database, 4)
    entries = await database.collection(ACTIVITY).find({}).sort("order", ASCENDING).to_list(100)
    assert [entry["type"] for entry in entries] == ["task.created", "task.updated", "task.commented", "task.deleted"]


async def test_one_worker_holds_the_lease_and_another_follows(database: Mongo) -> None:
    leases = database.collection(LEASES)
    terms: dict[int, str] = {}
    running: list[Term] = []
    overlaps: list[Term] = []

    def work_of(name: str) -> Callable[[Term], Awaitable[None]]:
        async def work(term: Term) -> None:
            overlaps.extend(other for other in running if time.monotonic() < other.ends)
            terms[term.generation] = name
            running.append(term)
            try:
                await asyncio.Event().wait()
            finally:
                running.remove(term)

        return work

    async def led(name: str) -> bool:
        return name in terms.values()

    first = asyncio.create_task(Lease(leases, "relay", 2).hold(work_of("first")))
    await until(lambda: led("first"))
    second = asyncio.create_task(Lease(leases, "relay", 2).hold(work_of("second")))
    # However slow the machine is: nobody begins while the lease of another goes on.
    await asyncio.sleep(3)
    first.cancel()
    await until(lambda: led("second"))
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert overlaps == []
    assert sorted(terms) == list(range(1, len(terms) + 1))
    assert terms[1] == "first"


async def test_a_holder_that_slept_through_its_end_changes_nothing(database: Mongo) -> None:
    """Its own clock says that the lease goes on; the generation in the database says that it does not."""
    leases = database.collection(LEASES)
    await leases.insert_one({"_id": "relay", "holder": "next", "generation": 2, "expiresAt": datetime.now(UTC)})
    stale = Term(leases, "relay", "before", 1, ends=float("inf"))
    rows = database.collection(OUTBOX)

    async def change(session: Session) -> None:
        await rows.insert_one({"_id": "written late"}, session=session)
        await stale.fence(session)

    with pytest.raises(LeaseLost):
        await database.transaction(change)
    assert await rows.count_documents({}) == 0
