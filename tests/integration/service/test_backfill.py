"""What the first version stored becomes what this one expects, also when it is cut off and while tasks change."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from taskservice.auth.backfill import BACKFILL as USER_ADDRESSES
from taskservice.auth.repository import USERS, MongoUsers
from taskservice.kit import backfill
from taskservice.kit.backfill import MIGRATIONS, Backfill
from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import ASCENDING, Document, Mongo
from taskservice.kit.settings import AuthSettings
from taskservice.migration import migrate
from taskservice.tasks import events
from taskservice.tasks.backfill import BACKFILL as TASK_ENTRIES
from taskservice.tasks.backfill import repair
from taskservice.tasks.documents import entry_document, task_of
from taskservice.tasks.listing import Query, Scope, list_of, lists_of
from taskservice.tasks.model import Change, Task
from taskservice.tasks.repository import ENTRIES, TASKS
from testkit.tasks import NOW, mongo_tasks

pytestmark = pytest.mark.anyio


def an_old_task(n: int) -> Document:
    """A task as the first version stored it, without what came later."""
    return {
        "_id": new_id(),
        "title": f"task {n}",
        "description": "",
        "status": ("todo", "in_progress", "done")[n % 3],
        "createdBy": ("ann", "bob")[n % 2],
        "createdAt": NOW,
        "updatedAt": NOW,
        "version": 1 + n % 4,
    }


async def store_old_tasks(database: Mongo, number: int) -> list[Document]:
    tasks = [an_old_task(n) for n in range(number)]
    await database.collection(TASKS).insert_many(tasks)
    return tasks


async def everything(database: Mongo, collection: str) -> list[Document]:
    return await database.collection(collection).find({}).sort("_id", ASCENDING).to_list()


async def expected_entries(database: Mongo) -> list[Document]:
    """What the lists hold when every task is in exactly the lists that it belongs in."""
    tasks = [task_of(row) for row in await everything(database, TASKS)]
    return sorted(
        (entry_document(task, name) for task in tasks for name in lists_of(task)), key=lambda entry: entry["_id"]
    )


async def run(database: Mongo, what: Backfill = TASK_ENTRIES, *, again: bool = False, batch: int = 50) -> list[str]:
    said: list[str] = []
    await backfill.run(database, what, said.append, again=again, batch=batch)
    return said


async def test_a_task_of_the_first_version_is_read_before_it_is_repaired(database: Mongo) -> None:
    (row,) = await store_old_tasks(database, 1)
    task = await mongo_tasks(database).get(row["_id"])
    assert task is not None
    assert (task.priority, task.labels, task.assignee, task.due_at) == ("normal", (), None, None)


async def test_old_tasks_come_into_their_lists_and_stay_as_they_are(database: Mongo) -> None:
    old = await store_old_tasks(database, 230)
    assert await run(database) == ["task entries: 230 of tasks looked at, 230 repaired"]
    rows = await everything(database, TASKS)
    assert [{name: row[name] for name in old[0]} for row in rows] == sorted(old, key=lambda row: row["_id"])
    assert await everything(database, ENTRIES) == await expected_entries(database)
    listed = await mongo_tasks(database).page(Query(list_of(Scope.MINE, "ann"), 200))
    assert len(listed) == 115


async def test_twice_is_once(database: Mongo) -> None:
    await store_old_tasks(database, 60)
    await run(database)
    tasks, entries = await everything(database, TASKS), await everything(database, ENTRIES)
    assert await run(database) == ["task entries: 0 of tasks looked at, 0 repaired"]
    assert await run(database, again=True) == ["task entries: 60 of tasks looked at, 0 repaired"]
    assert (await everything(database, TASKS), await everything(database, ENTRIES)) == (tasks, entries)


async def test_what_is_cut_off_goes_on_where_it_was(database: Mongo) -> None:
    await store_old_tasks(database, 200)
    batches = 0

    async def cut_off(database: Mongo, rows: list[Document]) -> int:
        nonlocal batches
        batches += 1
        if batches == 3:
            await repair(database, rows)  # its work is done, its place not yet noted
            raise Unavailable("no primary")
        return await repair(database, rows)

    with pytest.raises(Unavailable):
        await run(database, Backfill(TASK_ENTRIES.name, TASKS, cut_off))
    assert await run(database) == ["task entries: 100 of tasks looked at, 50 repaired"]
    assert await everything(database, ENTRIES) == await expected_entries(database)


async def test_a_deleted_task_comes_into_no_list(database: Mongo) -> None:
    (row,) = await store_old_tasks(database, 1)
    await database.collection(TASKS).update_one({"_id": row["_id"]}, {"$set": {"deletedAt": NOW}})
    await run(database)
    assert await everything(database, ENTRIES) == []


def stirring(rng: random.Random) -> Callable[[Task], Change]:
    """A change that moves a task between lists, or deletes it."""
    kind = rng.randrange(4)

    def decide(task: Task) -> Change:
        values: dict[str, Any] = {"title": f"changed {kind}"}
        if kind == 0:
            values = {"deleted_at": NOW}
        elif kind < 3:
            values = {"assignee": (None, "carl", "dora")[rng.randrange(3)]}
        after = Task(**{**task.__dict__, **values, "version": task.version + 1})
        return Change(*events.updated(task, after, "ann"))

    return decide


async def test_tasks_that_change_meanwhile_are_in_the_lists_they_belong_in(database: Mongo) -> None:
    """Assigned, taken back and deleted while the backfill runs over them, again and again from the start."""
    rng = random.Random(7)
    rows = await store_old_tasks(database, 120)
    tasks = mongo_tasks(database)
    done = False

    async def stir() -> None:
        for _ in range(150):
            await tasks.change(rng.choice(rows)["_id"], stirring(rng))

    async def keep_repairing() -> None:
        while not done:
            await run(database, again=True, batch=40)

    repairing = asyncio.create_task(keep_repairing())
    await asyncio.gather(*(stir() for _ in range(3)))
    done = True
    await repairing
    await run(database, again=True)
    assert await everything(database, ENTRIES) == await expected_entries(database)


async def test_users_of_before_addresses_are_found_by_theirs(database: Mongo) -> None:
    users = MongoUsers(database)
    old = [
        {
            "_id": new_id(),
            "email": f"{n}@example.com",
            "displayName": None,
            "passwordHash": "x",
            "createdAt": NOW,
        }
        for n in range(70)
    ]
    await database.collection(USERS).insert_many(old)
    assert await users.by_email("7@example.com") is None
    assert await run(database, USER_ADDRESSES) == ["user addresses: 70 of users looked at, 70 repaired"]
    for row in old:
        user = await users.by_email(row["email"])
        assert user is not None
        assert user.id == row["_id"]


async def test_migrate_says_what_it_did_and_keeps_its_place(auth_settings: AuthSettings, database: Mongo) -> None:
    await store_old_tasks(database, 3)
    said: list[str] = []
    await migrate(auth_settings, said.append)
    assert said[-2:] == [
        "task entries: 3 of tasks looked at, 3 repaired",
        "user addresses: 0 of users looked at, 0 repaired",
    ]
    (place,) = await everything(database, MIGRATIONS)
    assert place["_id"] == "task entries"
