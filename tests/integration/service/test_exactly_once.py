"""Thousands of events while relay, worker, broker and database are killed: once in effect, none lost, in order.

The order of kills and the points at which they happen come from a seed; a point is a number of handled events, not
a time, so that a slow machine has the same test. Set TASKSERVICE_SEED to play another one.
"""

import asyncio
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from taskservice.activity.repository import ACTIVITY, FEED
from taskservice.kit import bus
from taskservice.kit.errors import Unavailable
from taskservice.kit.events import Event
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import ASCENDING, DuplicateKeyError, Mongo
from taskservice.kit.outbox import OUTBOX, MongoOutbox
from taskservice.kit.settings import BusSettings
from taskservice.worker.activity import PROGRESS
from testkit.kafka import KafkaServer
from testkit.mongod import ReplicaSet
from testkit.rabbitmq import RabbitServer

pytestmark = pytest.mark.anyio

SEED = int(os.environ.get("TASKSERVICE_SEED", "20261123"))
VICTIMS = ("relay", "consumer", "broker", "primary")
WRITERS = 12

Broker = RabbitServer | KafkaServer


class World:
    """The parts that may die, and how."""

    def __init__(
        self,
        database: Mongo,
        replica_set: ReplicaSet,
        broker: Broker,
        start_worker: Callable[[], Any],
    ) -> None:
        self._database = database
        self._replica_set = replica_set
        self._broker = broker
        self._start_worker = start_worker
        self.workers = [start_worker(), start_worker()]
        self.story: list[str] = []

    async def kill(self, victim: str) -> None:
        """Kills it without a word, and starts it or another in its place."""
        self.story.append(f"{victim} at {await self.handled()}")
        if victim in ("relay", "consumer"):
            await self._kill_worker(leading=victim == "relay")
        elif victim == "broker":
            await asyncio.to_thread(self._broker.kill)
            await asyncio.to_thread(self._broker.start)
        else:
            primary = await asyncio.to_thread(self._replica_set.wait_for_primary)
            await asyncio.to_thread(primary.kill)
            await asyncio.to_thread(self._replica_set.wait_for_primary)
            await asyncio.to_thread(primary.start)

    async def _kill_worker(self, *, leading: bool) -> None:
        leaders = [worker for worker in self.workers if await asyncio.to_thread(leads, worker)]
        others = [worker for worker in self.workers if worker not in leaders]
        # Between two terms nobody leads, or a moment too many believe so: then it is one of them.
        victim = ((leaders if leading else others) or self.workers)[0]
        await asyncio.to_thread(victim.kill)
        self.workers.remove(victim)
        self.workers.append(self._start_worker())

    async def handled(self) -> int:
        while True:
            try:
                return await self._database.collection(ACTIVITY).count_documents({})
            except Exception:  # no primary at the moment: its absence is part of the test
                await asyncio.sleep(0.2)


def metric(worker: Any, name: str) -> float:
    """The sum of a metric over its labels; 0 when the process does not answer."""
    try:
        text = httpx2.get(f"{worker.management_url}/metrics", timeout=5).text
    except httpx2.HTTPError:
        return 0.0
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def leads(worker: Any) -> bool:
    return metric(worker, "taskservice_relay_leading") == 1


def an_event(subject: str, sequence: int, last: int) -> Event:
    kind = "task.created" if sequence == 1 else "task.deleted" if sequence == last else "task.updated"
    due = datetime.now(UTC).replace(year=2099).isoformat()
    data = {"task": {"title": f"$step {sequence}", "status": "todo", "due_at": due, "assignee": None}}
    now = datetime.now(UTC)
    return Event(type=kind, subject=subject, sequence=sequence, owner="ann", actor="ann", occurred_at=now, data=data)


async def write(database: Mongo, rng: random.Random, subjects: list[str], each: int) -> dict[str, list[str]]:
    """Appends the events of every subject, some at a time; returns their ids in order."""
    outbox = MongoOutbox(database.collection(OUTBOX))
    written: dict[str, list[str]] = {subject: [] for subject in subjects}
    waiting = list(subjects)

    async def append(events: list[Event]) -> None:
        while True:
            try:
                await database.transaction(lambda session: outbox.append(session, events))
            except Unavailable:
                continue
            except DuplicateKeyError:
                pass  # the attempt before has happened after all
            return

    async def writer() -> None:
        while waiting:
            subject = waiting.pop(rng.randrange(len(waiting)))
            done = written[subject]
            few = [
                an_event(subject, len(done) + n, each) for n in range(1, 1 + min(rng.randint(1, 8), each - len(done)))
            ]
            await append(few)
            done += [event.id for event in few]
            if len(done) < each:
                waiting.append(subject)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return written


async def check(database: Mongo, written: dict[str, list[str]]) -> None:
    entries = await database.collection(ACTIVITY).find({}).sort("order", ASCENDING).to_list(100_000)
    found: dict[str, list[dict[str, Any]]] = {subject: [] for subject in written}
    for entry in entries:
        found[entry["task"]].append(entry)
    for subject, ids in written.items():
        assert [entry["_id"] for entry in found[subject]] == ids
        assert [entry["order"] for entry in found[subject]] == list(range(1, len(ids) + 1))
    fed = await database.collection(FEED).find({"person": "ann"}).to_list(100_000)
    assert sorted(row["entry"] for row in fed) == sorted(id_ for ids in written.values() for id_ in ids)
    progress = await database.collection(PROGRESS).find({}).to_list(100_000)
    assert {(one["handled"], one["sequence"]) for one in progress} == {(len(ids), len(ids)) for ids in written.values()}
    # Every task was deleted in the end, and so was its reminder.
    assert await database.collection("reminders").count_documents({}) == 0


async def play(world: World, database: Mongo, subjects: int, each: int, kills: int) -> None:
    rng = random.Random(SEED)
    victims = [VICTIMS[n % len(VICTIMS)] for n in range(kills)]
    rng.shuffle(victims)
    total = subjects * each
    points = sorted(rng.randrange(total // 20, total * 9 // 10) for _ in range(kills))
    names = [new_id() for _ in range(subjects)]
    writing = asyncio.create_task(write(database, rng, names, each))
    for point, victim in zip(points, victims, strict=True):
        async with asyncio.timeout(300):
            while await world.handled() < point:  # noqa: ASYNC110 - other processes make the progress
                await asyncio.sleep(0.1)
        await world.kill(victim)
    written = await writing
    async with asyncio.timeout(300):
        rows = database.collection(OUTBOX)
        while await world.handled() < total or await rows.count_documents({"pending": True}):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await check(database, written)


async def dead_letters(url: str, partitions: int) -> list[bus.DeadLetter]:
    values: dict[str, Any] = {"mongo_url": "mongodb://unused", "bus_url": url, "bus_partitions": partitions}
    opened = bus.connect(BusSettings(**values))
    await opened.start()
    try:
        return await opened.replay(100, dry_run=True)
    finally:
        await opened.stop()


def environment(broker: Broker) -> dict[str, str]:
    return {
        "TASKSERVICE_BUS_URL": broker.url,
        "TASKSERVICE_LEASE_SECONDS": "2",
        "TASKSERVICE_LOG_LEVEL": "WARNING",
        "TASKSERVICE_BUS_PARTITIONS": "8",
        "TASKSERVICE_MONGO_TIMEOUT_SECONDS": "15",
    }


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Broker:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("driver", ["motor"], indirect=True)
@pytest.mark.parametrize(
    ("broker", "subjects", "kills"),
    [("rabbit_server", 250, 8), ("kafka_server", 75, 4)],
    indirect=["broker"],
    ids=["5000-on-rabbitmq", "1500-on-kafka"],
)
async def test_every_event_is_handled_once_in_effect_and_in_order_whoever_is_killed(
    database: Mongo,
    replica_set: ReplicaSet,
    broker: Broker,
    start_service: Callable[..., Any],
    subjects: int,
    kills: int,
) -> None:
    world = World(database, replica_set, broker, lambda: start_service("worker", **environment(broker)))
    await play(world, database, subjects=subjects, each=20, kills=kills)
    print(f"seed {SEED}: {', '.join(world.story)}")
    assert await dead_letters(broker.url, 8) == []
