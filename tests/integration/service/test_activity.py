"""The activity in the database and in memory keep one contract, and an entry is told once or not at all."""

import pytest

from taskservice.activity.entries import Entry
from taskservice.activity.repository import ACTIVITY, FEED, ActivityLog, MemoryActivity, MongoActivity
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo, Session
from taskservice.worker.activity import PROGRESS, AlreadyHandled, Feed
from taskservice.worker.reminders import FeedNotifier, Reminder
from testkit.tasks import NOW, an_entry

pytestmark = pytest.mark.anyio

TASK, OTHER = new_id(), new_id()
ENTRIES = [
    *(an_entry(TASK, n, "ann", "bob", title=f"日本 {n}", details={"changed": ["title"]}) for n in range(1, 6)),
    an_entry(TASK, 5, "bob", type="reminder.due", actor=None, details={"person": "bob"}),
    *(an_entry(OTHER, n, "ann", "carl") for n in range(1, 4)),
]


@pytest.fixture(params=["mongo", "memory"])
async def log(request: pytest.FixtureRequest, database: Mongo) -> ActivityLog:
    if request.param == "memory":
        return MemoryActivity(ENTRIES)
    activity = MongoActivity(database)
    for entry in ENTRIES:

        async def add(session: Session, entry: Entry = entry) -> None:
            await activity.add(entry, session)

        await database.transaction(add)
    return activity


def shown(entry: Entry) -> tuple[object, ...]:
    return (entry.id, entry.type, entry.task, entry.title, entry.actor, entry.at, dict(entry.details), entry.sequence)


async def test_a_task_has_its_entries_latest_first(log: ActivityLog) -> None:
    # Of one change, the reminder among them, identifiers decide: within a millisecond they are in no order.
    latest = [shown(entry) for entry in sorted(ENTRIES[:6], key=lambda entry: (entry.sequence, entry.id), reverse=True)]
    assert [shown(entry) for entry in await log.of_task(TASK, 10, None)] == latest
    first = await log.of_task(TASK, 4, None)
    assert [shown(entry) for entry in await log.of_task(TASK, 10, first[-1].position)] == latest[4:]
    assert await log.of_task(new_id(), 10, None) == []


@pytest.mark.parametrize(("person", "number"), [("ann", 8), ("bob", 6), ("carl", 3), ("eve", 0)])
async def test_a_person_has_what_concerns_him_newest_first(person: str, number: int, log: ActivityLog) -> None:
    mine = sorted((shown(entry) for entry in ENTRIES if person in entry.people), reverse=True)
    found = await log.of_person(person, 100, None)
    assert [shown(entry) for entry in found] == mine
    assert len(mine) == number
    if number > 2:
        assert [shown(entry) for entry in await log.of_person(person, 2, found[1].id)] == mine[2:4]


async def test_what_is_told_twice_is_stored_once_in_every_place(database: Mongo) -> None:
    feed = Feed(MongoActivity(database), database.collection(PROGRESS))
    entry = an_entry(TASK, 1, "ann", "bob")

    async def handle(session: Session) -> None:
        await feed.advance(TASK, 1, session)
        await feed.add(entry, session)

    await database.transaction(handle)
    with pytest.raises(AlreadyHandled):
        await database.transaction(handle)
    assert await database.collection(ACTIVITY).count_documents({}) == 1
    assert await database.collection(FEED).count_documents({}) == 2
    progress = await database.collection(PROGRESS).find_one({"_id": TASK})
    assert progress is not None
    assert progress["handled"] == 1


async def test_a_reminder_stands_after_the_last_event_of_its_task(database: Mongo) -> None:
    activity = MongoActivity(database)
    feed = Feed(activity, database.collection(PROGRESS))

    async def handle(session: Session) -> None:
        for sequence in (1, 2):
            await feed.advance(TASK, sequence, session)
            await feed.add(an_entry(TASK, sequence, "ann"), session)

    reminder = Reminder(task=TASK, title="t", owner="ann", person="bob", due_at=NOW)
    await database.transaction(handle)
    await database.transaction(lambda session: FeedNotifier(feed).notify(reminder, session))
    latest = (await activity.of_task(TASK, 1, None))[0]
    assert (latest.type, latest.sequence, latest.actor) == ("reminder.due", 2, None)
    for person in ("ann", "bob"):
        assert (await activity.of_person(person, 1, None))[0].id == latest.id
