"""The repositories keep one contract on both drivers, and every query is answered by an index."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice.auth.errors import EmailTaken
from taskservice.auth.repository import INDEXES as USER_INDEXES
from taskservice.auth.repository import USERS, MemoryUsers, MongoUsers, User, UserRepository
from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Document, Mongo, connect
from taskservice.kit.settings import AuthSettings
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.repository import INDEXES as TASK_INDEXES
from taskservice.tasks.repository import TASKS, MongoTasks, Query, Task, TaskRepository
from testkit.mongod import free_port

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)


def a_task(owner: str = "ann", **fields: Any) -> Task:
    values = {"title": "t", "description": "", "status": "todo", "created_at": NOW, "updated_at": NOW}
    return Task(id=new_id(), created_by=owner, **(values | fields))


def a_user(email: str) -> User:
    return User(id=new_id(), email=email, display_name=None, password_hash="$argon2id$", created_at=NOW)


@pytest.fixture(params=["mongo", "memory"])
def tasks(request: pytest.FixtureRequest, database: Mongo) -> TaskRepository:
    return MongoTasks(database.collection(TASKS)) if request.param == "mongo" else MemoryTasks()


@pytest.fixture(params=["mongo", "memory"])
def users(request: pytest.FixtureRequest, database: Mongo) -> UserRepository:
    return MongoUsers(database.collection(USERS)) if request.param == "mongo" else MemoryUsers()


async def test_a_task_comes_back_as_it_was_stored(tasks: TaskRepository) -> None:
    task = a_task(title="日本語 👩\u200d🚀", description="x" * 4000)
    await tasks.add(task)
    assert await tasks.get(task.id) == task
    assert await tasks.get(new_id()) is None


async def test_a_list_holds_the_owners_tasks_newest_first(tasks: TaskRepository) -> None:
    mine = [a_task(status=status) for status in ("todo", "done", "todo", "done")]
    for task in [*mine, a_task("bob")]:
        await tasks.add(task)
    newest = sorted(mine, key=lambda task: task.id, reverse=True)
    assert await tasks.list(Query("ann", 10)) == newest
    assert await tasks.list(Query("ann", 2)) == newest[:2]
    assert await tasks.list(Query("ann", 10, after=newest[1].id)) == newest[2:]
    done = [task for task in newest if task.status == "done"]
    assert await tasks.list(Query("ann", 10, status="done")) == done
    assert await tasks.list(Query("ann", 10, "done", done[0].id)) == done[1:]
    assert await tasks.list(Query("carl", 10)) == []


async def test_an_update_belongs_to_the_owner_and_counts(tasks: TaskRepository) -> None:
    task = a_task()
    await tasks.add(task)
    later = NOW.replace(hour=13)
    assert await tasks.update("bob", task.id, {"title": "mine"}, later) is None
    changed = await tasks.update("ann", task.id, {"title": "new"}, later)
    assert changed is not None
    assert (changed.title, changed.version, changed.updated_at) == ("new", 2, later)
    assert await tasks.get(task.id) == changed


async def test_a_delete_belongs_to_the_owner(tasks: TaskRepository) -> None:
    task = a_task()
    await tasks.add(task)
    assert not await tasks.delete("bob", task.id)
    assert await tasks.delete("ann", task.id)
    assert not await tasks.delete("ann", task.id)


async def test_concurrent_updates_are_all_counted(tasks: TaskRepository) -> None:
    task = a_task()
    await tasks.add(task)
    await asyncio.gather(*(tasks.update("ann", task.id, {"title": f"{n}"}, NOW) for n in range(30)))
    final = await tasks.get(task.id)
    assert final is not None
    assert final.version == 31


async def test_an_address_is_given_out_once(users: UserRepository) -> None:
    async def add() -> bool:
        try:
            await users.add(a_user("ann@example.com"))
        except EmailTaken:
            return False
        return True

    assert sum(await asyncio.gather(*(add() for _ in range(20)))) == 1
    user = await users.by_email("ann@example.com")
    assert user is not None
    assert await users.by_id(user.id) == user
    assert await users.by_email("bob@example.com") is None


async def test_many_are_looked_up_at_once(users: UserRepository) -> None:
    stored = [a_user(f"user{n}@example.com") for n in range(100)]
    for user in stored:
        await users.add(user)
    wanted = [user.id for user in stored[:60]]
    found = await users.by_ids([*wanted, new_id(), wanted[0]])
    assert {user.id: user for user in found} == {user.id: user for user in stored[:60]}
    assert len(found) == 60
    assert await users.by_ids([]) == []
    assert await users.by_ids([new_id()]) == []


async def test_indexes_are_made_once(database: Mongo) -> None:
    names = await database.ensure_indexes(USER_INDEXES | TASK_INDEXES)
    wanted = USER_INDEXES | TASK_INDEXES
    assert names == [f"{collection}.{index.name}" for collection in wanted for index in wanted[collection]]
    information = await database.collection(TASKS).index_information()
    assert set(information) == {"_id_", "owner_newest", "owner_status_newest"}


def stages(plan: Document) -> list[str]:
    """The names of all stages of a plan, outermost first."""
    inner = plan.get("inputStages") or ([plan["inputStage"]] if "inputStage" in plan else [])
    return [plan["stage"], *(name for child in inner for name in stages(child))]


@pytest.mark.parametrize("status", [None, "done"])
@pytest.mark.parametrize("page", ["first", "later"])
async def test_every_list_is_an_index_scan_without_sorting(database: Mongo, status: str | None, page: str) -> None:
    tasks = MongoTasks(database.collection(TASKS))
    stored = [a_task(owner, status=s) for owner in ("ann", "bob") for s in ("todo", "done") for _ in range(25)]
    for task in stored:
        await tasks.add(task)
    mine = sorted((t.id for t in stored if t.created_by == "ann" and status in (None, t.status)), reverse=True)
    query = Query("ann", 10, status, mine[4] if page == "later" else None)
    explained = await tasks.find(query).explain()
    used = stages(explained["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in used
    assert not {"COLLSCAN", "SORT"} & set(used)
    statistics = explained["executionStats"]
    assert statistics["nReturned"] == 10
    assert statistics["totalDocsExamined"] == 10
    assert statistics["totalKeysExamined"] <= 11


async def test_the_look_ups_use_their_index(database: Mongo) -> None:
    user, task = a_user("ann@example.com"), a_task()
    await MongoUsers(database.collection(USERS)).add(user)
    await MongoTasks(database.collection(TASKS)).add(task)
    for name, condition in (
        (USERS, {"email": user.email}),
        (USERS, {"_id": user.id}),
        (TASKS, {"_id": task.id}),
        (TASKS, {"_id": task.id, "createdBy": "ann"}),
    ):
        explained = await database.collection(name).find(condition).explain()
        used = stages(explained["queryPlanner"]["winningPlan"])
        assert {"IXSCAN", "IDHACK"} & set(used), (condition, used)
        assert explained["executionStats"]["totalDocsExamined"] == 1


async def test_a_database_that_does_not_answer_is_unavailable(auth_settings: AuthSettings) -> None:
    nobody = auth_settings.model_copy(
        update={
            "mongo_url": type(auth_settings.mongo_url)(f"mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0"),
            "mongo_timeout_seconds": 0.5,
        }
    )
    database = connect(nobody)
    with pytest.raises(Unavailable):
        await MongoTasks(database.collection(TASKS)).get(new_id())
    await database.close()
