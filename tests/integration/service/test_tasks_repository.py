"""Tasks in the database and in memory keep one contract: a change happens with all that belongs to it, or not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskservice.kit.idempotency import Answer, InFlight, KeptAnswer, RequestKey
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import ASCENDING, Mongo
from taskservice.kit.outbox import OUTBOX
from taskservice.tasks import events
from taskservice.tasks.listing import Query, Scope, list_of
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.model import Change, Comment, Task
from taskservice.tasks.repository import COMMENTS, ENTRIES, TASKS, TaskRepository
from testkit.tasks import NOW, a_task, mongo_tasks

pytestmark = pytest.mark.anyio

ANN, BOB = list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "bob")


@pytest.fixture(params=["mongo", "memory"])
def tasks(request: pytest.FixtureRequest, database: Mongo) -> TaskRepository:
    return mongo_tasks(database) if request.param == "mongo" else MemoryTasks()


async def added(tasks: TaskRepository, *stored: Task) -> None:
    for task in stored:
        await tasks.add(*events.created(replace(task, sequence=0), task.created_by))


def becoming(**fields: Any) -> Callable[[Task], Change]:
    """A change to these members, with its version and event."""

    def decide(task: Task) -> Change:
        after = replace(task, **fields, version=task.version + 1)
        return Change(*events.updated(task, after, "ann"))

    return decide


def commenting(text: str) -> Callable[[Task], Change]:
    def decide(task: Task) -> Change:
        comment = Comment(id=new_id(), task=task.id, author="ann", text=text, created_at=NOW)
        counted = replace(task, comments=task.comments + 1)
        after, told = events.commented(counted, comment, "ann")
        return Change(after, told, comment)

    return decide


async def listed(tasks: TaskRepository, name: str) -> list[Task]:
    return await tasks.page(Query(name, 100))


async def test_a_task_comes_back_as_it_was_stored(tasks: TaskRepository) -> None:
    plain = a_task()
    whole = a_task(
        title="日本語 👩\u200d🚀",
        description="x" * 4000,
        status="done",
        priority="urgent",
        labels=("a", "ß"),
        due_at=NOW + timedelta(days=1),
        assignee="bob",
    )
    await added(tasks, plain, whole)
    assert await tasks.get(plain.id) == plain
    assert await tasks.get(whole.id) == whole
    assert await tasks.get(new_id()) is None
    assert await listed(tasks, ANN) == sorted([plain, whole], key=lambda task: task.id, reverse=True)
    assert await listed(tasks, BOB) == [whole]
    assert await listed(tasks, list_of(Scope.ASSIGNED, "ann")) == []


async def test_a_change_is_the_same_in_every_list(tasks: TaskRepository) -> None:
    task = a_task(assignee="bob")
    await added(tasks, task)
    changed = await tasks.change(task.id, becoming(title="new", labels=("x",)))
    assert changed is not None
    assert (changed.title, changed.version) == ("new", 2)
    for found in ([await tasks.get(task.id)], await listed(tasks, ANN), await listed(tasks, BOB)):
        assert found == [changed]


async def test_a_task_moves_between_the_lists_of_its_assignees(tasks: TaskRepository) -> None:
    task = a_task()
    await added(tasks, task)
    carl = list_of(Scope.ASSIGNED, "carl")
    for assignee, here in (("bob", {BOB}), ("carl", {carl}), (None, set()), ("bob", {BOB})):
        await tasks.change(task.id, becoming(assignee=assignee))
        assert {name for name in (BOB, carl) if await listed(tasks, name)} == here
        assert len(await listed(tasks, ANN)) == 1


async def test_a_deleted_task_is_nowhere(tasks: TaskRepository) -> None:
    task = a_task(assignee="bob")
    await added(tasks, task)
    await tasks.change(task.id, commenting("one"))
    assert await tasks.change(task.id, becoming(deleted_at=NOW)) is not None
    assert await tasks.get(task.id) is None
    assert await listed(tasks, ANN) == await listed(tasks, BOB) == []
    assert await tasks.change(task.id, becoming(title="late")) is None


async def test_what_is_refused_or_already_so_changes_nothing(tasks: TaskRepository) -> None:
    task = a_task()
    await added(tasks, task)

    def refuse(_: Task) -> Change:
        raise PermissionError

    with pytest.raises(PermissionError):
        await tasks.change(task.id, refuse)
    same = await tasks.change(task.id, Change)
    assert same == task == await tasks.get(task.id)
    assert await tasks.change(new_id(), refuse) is None


async def test_concurrent_changes_are_all_made(tasks: TaskRepository) -> None:
    task = a_task(assignee="bob")
    await added(tasks, task)
    await asyncio.gather(*(tasks.change(task.id, becoming(title=f"{n}")) for n in range(30)))
    final = await tasks.get(task.id)
    assert final is not None
    assert (final.version, final.sequence) == (31, 32)  # it was also assigned
    assert await listed(tasks, ANN) == await listed(tasks, BOB) == [final]


async def test_comments_are_listed_oldest_first_and_counted(tasks: TaskRepository) -> None:
    task, other = a_task(), a_task()
    await added(tasks, task, other)
    for n in range(5):
        await tasks.change(task.id, commenting(f"{n}"))
    await tasks.change(other.id, commenting("other"))
    found = await tasks.comments(task.id, 10, None)
    assert sorted(comment.text for comment in found) == ["0", "1", "2", "3", "4"]
    assert [comment.id for comment in found] == sorted(comment.id for comment in found)
    assert await tasks.comments(task.id, 2, found[1].id) == found[2:4]
    counted = await tasks.get(task.id)
    assert counted is not None
    assert (counted.comments, counted.version) == (5, 1)


async def test_a_taken_key_leaves_nothing_of_the_change(tasks: TaskRepository) -> None:
    kept = KeptAnswer(RequestKey.of("ann", "k", "POST", "/", b""), Answer(201, b"{}"))
    first, second = a_task(), a_task()
    await tasks.add(first, [], kept)
    with pytest.raises(InFlight):
        await tasks.add(second, [], kept)
    with pytest.raises(InFlight):
        await tasks.change(first.id, lambda task: replace(becoming(title="x")(task), answer=kept))
    assert await listed(tasks, ANN) == [first]


async def test_the_events_of_a_task_are_in_the_outbox_in_the_order_of_its_changes(database: Mongo) -> None:
    tasks, task = mongo_tasks(database), a_task(assignee="bob")
    await added(tasks, task)
    await asyncio.gather(*(tasks.change(task.id, commenting(f"{n}")) for n in range(5)))
    await tasks.change(task.id, becoming(title="x"))
    rows = await database.collection(OUTBOX).find({"subject": task.id}).sort("sequence", ASCENDING).to_list(100)
    assert [row["sequence"] for row in rows] == list(range(1, 9))
    kinds = [row["type"] for row in rows]
    assert kinds == ["task.created", "task.assigned", *["task.commented"] * 5, "task.updated"]


async def test_events_that_cannot_be_stored_undo_the_change(database: Mongo) -> None:
    tasks, task = mongo_tasks(database), a_task()
    await added(tasks, task)
    _, told = events.created(replace(task, sequence=0), "ann")  # its sequence is taken
    with pytest.raises(Exception, match="duplicate key"):
        await tasks.change(task.id, lambda task: Change(replace(task, title="x", version=2), told))
    with pytest.raises(Exception, match="duplicate key"):
        await tasks.add(replace(a_task(), id=new_id()), told)
    assert await listed(tasks, ANN) == [task] == [await tasks.get(task.id)]


async def test_what_is_deleted_is_marked_for_the_database_to_purge(database: Mongo) -> None:
    tasks, task, other = mongo_tasks(database), a_task(assignee="bob"), a_task()
    await added(tasks, task, other)
    for each in (task, task, other):
        await tasks.change(each.id, commenting("x"))
    await tasks.change(task.id, becoming(deleted_at=NOW))
    for name, key in ((TASKS, "_id"), (COMMENTS, "task")):
        marked = await database.collection(name).find({"deletedAt": {"$exists": True}}).to_list(100)
        assert {(document[key], document["deletedAt"]) for document in marked} == {(task.id, NOW)}
        information = await database.collection(name).index_information()
        assert information["deleted_expiry"]["expireAfterSeconds"] == 30 * 24 * 3600
    assert [entry["task"] for entry in await database.collection(ENTRIES).find({}).to_list(100)] == [other.id]


async def test_times_come_back_in_utc(database: Mongo) -> None:
    tasks = mongo_tasks(database)
    task = a_task(due_at=datetime(8999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC))
    await added(tasks, task)
    found = await tasks.get(task.id)
    assert found is not None
    assert found.due_at == task.due_at
    assert found.created_at.tzinfo is not None
