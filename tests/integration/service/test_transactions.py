"""A change and its events happen together or not at all, on both drivers, whoever else writes and whatever fails."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

import pytest

from taskservice.kit.errors import Unavailable
from taskservice.kit.events import Event
from taskservice.kit.mongo import ASCENDING, DuplicateKeyError, Mongo, ReturnDocument, Session, connect, translated
from taskservice.kit.outbox import INDEXES, OUTBOX, MongoOutbox
from taskservice.kit.settings import AuthSettings
from testkit.mongod import ReplicaSet, free_port

pytestmark = pytest.mark.anyio

COUNTERS = "counters"
SUBJECT = "t1"


def an_event(sequence: int, subject: str = SUBJECT) -> Event:
    return Event(
        type="task.updated",
        subject=subject,
        sequence=sequence,
        owner="ann",
        actor="ann",
        occurred_at=datetime.now(UTC),
    )


class Broken(Exception):
    """What a piece of work raises."""


async def count_up(database: Mongo, subject: str = SUBJECT) -> int:
    """Increments a counter and appends an event with the new count, as a repository does."""

    async def work(session: Session) -> int:
        async with translated():
            document = await database.collection(COUNTERS).find_one_and_update(
                {"_id": subject}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER, session=session
            )
        assert document is not None
        await MongoOutbox(database.collection(OUTBOX)).append(session, [an_event(document["n"], subject)])
        return document["n"]

    return await database.transaction(work)


async def state(database: Mongo, subject: str = SUBJECT) -> tuple[int, list[int]]:
    """The counter, and the sequences of its events."""
    document = await database.collection(COUNTERS).find_one({"_id": subject})
    rows = await database.collection(OUTBOX).find({"subject": subject}).sort("sequence", ASCENDING).to_list(100_000)
    assert document is not None
    return document["n"], [row["sequence"] for row in rows]


@pytest.fixture
async def counted(database: Mongo) -> Mongo:
    await database.ensure_indexes(INDEXES)
    await database.collection(COUNTERS).insert_one({"_id": SUBJECT, "n": 0})
    return database


async def test_a_change_and_its_event_are_there_together(counted: Mongo) -> None:
    assert await count_up(counted) == 1
    assert await state(counted) == (1, [1])


async def test_work_that_raises_leaves_nothing(counted: Mongo) -> None:
    async def work(session: Session) -> None:
        await counted.collection(COUNTERS).update_one({"_id": SUBJECT}, {"$inc": {"n": 1}}, session=session)
        await MongoOutbox(counted.collection(OUTBOX)).append(session, [an_event(1)])
        raise Broken

    with pytest.raises(Broken):
        await counted.transaction(work)
    assert await state(counted) == (0, [])
    assert await count_up(counted) == 1  # nothing of it is locked


async def test_a_sequence_is_used_once(counted: Mongo) -> None:
    outbox = MongoOutbox(counted.collection(OUTBOX))
    await counted.transaction(lambda session: outbox.append(session, [an_event(1), an_event(2)]))
    with pytest.raises(DuplicateKeyError):
        await counted.transaction(lambda session: outbox.append(session, [an_event(3), an_event(2)]))
    assert (await state(counted))[1] == [1, 2]


async def test_what_is_cancelled_leaves_nothing(counted: Mongo) -> None:
    begun = asyncio.Event()

    async def work(session: Session) -> None:
        await counted.collection(COUNTERS).update_one({"_id": SUBJECT}, {"$inc": {"n": 1}}, session=session)
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(counted.transaction(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count_up(counted) == 1


async def test_concurrent_writers_of_one_subject_get_a_sequence_without_holes(counted: Mongo) -> None:
    results = await asyncio.gather(*(count_up(counted) for _ in range(40)))
    assert sorted(results) == list(range(1, 41))
    assert await state(counted) == (40, list(range(1, 41)))


async def test_a_database_that_is_away_is_unavailable_within_the_time(auth_settings: AuthSettings) -> None:
    address = type(auth_settings.mongo_url)(f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0")
    nobody = connect(auth_settings.model_copy(update={"mongo_url": address, "mongo_timeout_seconds": 1}))
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await count_up(nobody)
    assert time.monotonic() - started < 15  # two minutes if it were left to the driver
    await nobody.close()


@pytest.mark.parametrize("event", ["step_down", "kill"])
async def test_no_change_is_lost_or_doubled_when_the_primary_goes(
    event: str, counted: Mongo, replica_set: ReplicaSet
) -> None:
    stop, acknowledged, refused = asyncio.Event(), 0, 0

    async def writer() -> None:
        nonlocal acknowledged, refused
        while not stop.is_set():
            try:
                await count_up(counted)
                acknowledged += 1
            except Unavailable:
                refused += 1

    async def until_written(more: int) -> None:
        wanted = acknowledged + more
        while acknowledged < wanted:  # noqa: ASYNC110 - writes are what is waited for
            await asyncio.sleep(0.02)

    writers = [asyncio.create_task(writer()) for _ in range(4)]
    primary = replica_set.wait_for_primary()
    try:
        async with asyncio.timeout(90):
            await until_written(20)
            await asyncio.to_thread(replica_set.step_down if event == "step_down" else primary.kill)
            await until_written(20)
        stop.set()
        await asyncio.gather(*writers)
        counter, sequences = await state(counted)
        assert sequences == list(range(1, counter + 1))
        assert acknowledged <= counter <= acknowledged + refused
    finally:
        stop.set()
        await asyncio.gather(*writers, return_exceptions=True)
        if event == "kill":
            primary.start()
        with contextlib.suppress(RuntimeError):
            replica_set.wait_for_primary()
