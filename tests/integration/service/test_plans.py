"""Every query of every repository is answered by an index, reads no more than it returns, and names its shard key.

What is judged is what the drivers send: the database writes down each operation (its profiler), which is then
explained once more. A new method of a repository belongs into `ASKED`.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pymongo import MongoClient

from taskservice.auth.repository import USERS, MongoUsers, User
from taskservice.database import INDEXES, SHARD_KEYS
from taskservice.kit.idempotency import Answer, KeptAnswer, RequestKey
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import HASHED, Document, Mongo
from taskservice.tasks import events
from taskservice.tasks.documents import comment_document, entry_document, task_document
from taskservice.tasks.listing import Filter, Query, Scope, Sort, list_of, lists_of, position
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.model import Change, Comment, Task
from taskservice.tasks.repository import COMMENTS, ENTRIES, TASKS, MongoTasks
from testkit.mongod import ReplicaSet
from testkit.tasks import NOW, a_task, mongo_answers, mongo_tasks

pytestmark = pytest.mark.anyio

PAGE = 10
KEY = RequestKey.of("ann", "k", "POST", "/", b"")
MINE, ASSIGNED = list_of(Scope.MINE, "ann"), list_of(Scope.ASSIGNED, "bob")


@dataclass
class Stored:
    """The repositories on a database with something in it."""

    tasks: MongoTasks
    users: MongoUsers
    database: Mongo
    task: Task
    user: User
    memory: MemoryTasks  # the same tasks


Ask = Callable[[Stored], Awaitable[object]]


def retitled(task: Task) -> Change:
    after = replace(task, title="x", version=task.version + 1)
    return Change(*events.updated(task, after, "ann"), answer=KeptAnswer(KEY, Answer(200, b"")))


def reassigned(task: Task) -> Change:
    after = replace(task, assignee="carl", version=task.version + 1)
    return Change(*events.assigned(task, after, "ann"))


def commented(task: Task) -> Change:
    comment = Comment(id=new_id(), task=task.id, author="ann", text="x", created_at=NOW)
    after, told = events.commented(replace(task, comments=task.comments + 1), comment, "ann")
    return Change(after, told, comment)


def deleted(task: Task) -> Change:
    after = replace(task, deleted_at=NOW, version=task.version + 1)
    return Change(*events.deleted(after, "ann", NOW))


async def comment_pages(stored: Stored) -> None:
    first = await stored.tasks.comments(stored.task.id, PAGE, None)
    assert len(await stored.tasks.comments(stored.task.id, PAGE, first[-1].id)) == PAGE


CONDITIONS = (
    Filter(),
    Filter(statuses=frozenset({"todo"})),
    Filter(statuses=frozenset({"todo", "in_progress"}), label="a"),
    Filter(assignee="bob"),
    Filter(assignee="", label="b"),
    Filter(title_prefix="BUY"),
    Filter(title_prefix="buy 1", statuses=frozenset({"done"})),
    Filter(due_from=NOW + timedelta(days=3), due_before=NOW + timedelta(days=40)),
    Filter(due_before=NOW + timedelta(days=9), label="a", title_prefix="buy"),
)


def pages(sort: Sort) -> Ask:
    """Under every condition the first page and the one after it."""

    async def ask(stored: Stored) -> None:
        for name, wanted in product((MINE, ASSIGNED), CONDITIONS):
            query = Query(name, PAGE, sort, wanted)
            found = await stored.tasks.page(query)
            assert found == await stored.memory.page(query)
            if found:
                await stored.tasks.page(replace(query, after=position(found[-1], sort)))

    return ask


ASKED: dict[str, Ask] = {
    "users.by_email": lambda stored: stored.users.by_email(stored.user.email),
    "users.by_id": lambda stored: stored.users.by_id(stored.user.id),
    "users.by_ids": lambda stored: stored.users.by_ids([stored.user.id, new_id()]),
    "answers.find": lambda stored: mongo_answers(stored.database).find(KEY),
    "tasks.add": lambda stored: stored.tasks.add(*events.created(a_task(assignee="bob", sequence=0), "ann")),
    "tasks.get": lambda stored: stored.tasks.get(stored.task.id),
    "tasks.change (update)": lambda stored: stored.tasks.change(stored.task.id, retitled),
    "tasks.change (assign)": lambda stored: stored.tasks.change(stored.task.id, reassigned),
    "tasks.change (comment)": lambda stored: stored.tasks.change(stored.task.id, commented),
    "tasks.change (delete)": lambda stored: stored.tasks.change(stored.task.id, deleted),
    "tasks.comments": comment_pages,
    **{f"tasks.page ({sort.value})": pages(sort) for sort in Sort},
}


@pytest.fixture
async def stored(database: Mongo) -> Stored:
    memory = MemoryTasks()
    everything = [
        a_task(
            owner,
            title=f"{title} {n}",
            status=status,
            assignee="bob" if n % 2 else None,
            labels=(("a", "b"), ("b",), ())[n % 3],
            due_at=NOW + timedelta(days=n) if n % 4 else None,
            updated_at=NOW + timedelta(hours=n % 7),
            comments=25,
        )
        for owner, status, title, n in product(
            ("ann", "eve"), ("todo", "in_progress", "done"), ("Buy", "sell"), range(20)
        )
    ]
    for task in everything:
        await memory.add(task, [])
    entries = [entry_document(task, name) for task in everything for name in lists_of(task)]
    await database.collection(TASKS).insert_many([task_document(task) for task in everything])
    await database.collection(ENTRIES).insert_many(entries)
    subject = next(task for task in everything if task.assignee)
    comments = [
        Comment(id=new_id(), task=task.id, author="ann", text="x", created_at=NOW)
        for task in (subject, everything[-1])
        for _ in range(25)
    ]
    await database.collection(COMMENTS).insert_many([comment_document(comment) for comment in comments])
    users = MongoUsers(database.collection(USERS))
    accounts = [
        User(id=new_id(), email=f"{n}@example.com", display_name=None, password_hash="x", created_at=NOW)
        for n in range(20)
    ]
    for user in accounts:
        await users.add(user)
    return Stored(mongo_tasks(database), users, database, subject, accounts[7], memory)


class Profile:
    """What the primary writes down about the operations on one database."""

    def __init__(self, client: MongoClient[Document], name: str) -> None:
        self._database = client[name]

    def begin(self) -> None:
        self._database.command("profile", 2)

    def end(self) -> list[Document]:
        """The operations on collections since `begin`."""
        self._database.command("profile", 0)
        found = list(self._database["system.profile"].find({"ns": {"$not": {"$regex": r"\.system\."}}}))
        assert found
        return [entry for entry in found if entry["op"] != "command" or "findAndModify" in entry["command"]]

    def explain(self, entry: Document) -> Document:
        """The plan that the operation has now."""
        collection, command = entry["ns"].partition(".")[2], entry["command"]
        if entry["op"] == "update":
            asked = {"update": collection, "updates": [{name: command[name] for name in ("q", "u", "multi", "upsert")}]}
        elif entry["op"] == "remove":
            asked = {"delete": collection, "deletes": [{name: command[name] for name in ("q", "limit")}]}
        else:
            asked = {name: value for name, value in command.items() if name in ("find", *OF_A_FIND)}
        return self._database.command("explain", asked, verbosity="executionStats")


OF_A_FIND = ("filter", "sort", "limit", "hint", "projection", "singleBatch")


@pytest.fixture
def profile(replica_set: ReplicaSet, database_name: str) -> Iterator[Profile]:
    with MongoClient[Document](replica_set.url, timeoutMS=15_000) as client:
        yield Profile(client, database_name)


def stages(plan: Document) -> set[str]:
    """The names of all stages of a plan."""
    inner = plan.get("inputStages") or ([plan["inputStage"]] if "inputStage" in plan else [])
    return {plan["stage"]}.union(*(stages(child) for child in inner))


def condition(entry: Document) -> Document:
    """What an operation looks for."""
    return entry["command"].get("filter") or entry["command"].get("q") or entry["command"].get("query") or {}


@pytest.mark.parametrize("name", ASKED)
async def test_every_query_is_answered_by_an_index(name: str, stored: Stored, profile: Profile) -> None:
    profile.begin()
    await ASKED[name](stored)
    entries = [entry for entry in profile.end() if entry["op"] != "insert"]
    assert entries or name == "tasks.add"
    for entry in entries:
        told = (entry["ns"], condition(entry), entry.get("planSummary"))
        assert entry["planSummary"].startswith(("IXSCAN", "IDHACK")), told
        assert not entry.get("hasSortStage"), told
        returned = entry.get("nreturned", entry.get("nMatched", 0) + entry.get("ndeleted", 0))
        assert entry["docsExamined"] <= returned + PAGE, told
        if entry["op"] == "query" and entry["ns"].endswith(ENTRIES):
            assert entry["docsExamined"] == returned, told
        explained = profile.explain(entry)
        used = stages(explained["queryPlanner"]["winningPlan"])
        assert used & {"IXSCAN", "IDHACK", "EXPRESS_IXSCAN"}, told
        assert not used & {"COLLSCAN", "SORT"}, told


@pytest.mark.parametrize("name", ASKED)
async def test_every_query_names_its_shard_key(name: str, stored: Stored, profile: Profile) -> None:
    profile.begin()
    await ASKED[name](stored)
    judged = 0
    for entry in profile.end():
        collection = entry["ns"].partition(".")[2]
        if collection not in SHARD_KEYS or entry["op"] == "insert":
            continue  # a document that is inserted has all its members
        members = [member for member, _ in SHARD_KEYS[collection]]
        needed = members if entry["command"].get("upsert") else members[:1]
        for member in needed:
            assert not isinstance(condition(entry).get(member, {}), dict), (collection, member, condition(entry))
        judged += 1
    assert judged or name.startswith("users.") or name == "tasks.add"


async def test_every_document_has_its_shard_key(stored: Stored) -> None:
    await stored.tasks.change(stored.task.id, retitled)
    for collection, key in SHARD_KEYS.items():
        document = await stored.database.collection(collection).find_one({})
        assert document is not None, collection
        assert all(isinstance(document[member], str) for member, _ in key)


async def test_a_page_in_its_plain_order_reads_as_many_keys_as_it_returns(stored: Stored, profile: Profile) -> None:
    """Whatever else is in the list: one key of each status beyond the page, to know which is next."""
    for sort in Sort:
        query = Query(MINE, PAGE, sort)
        profile.begin()
        found = await stored.tasks.page(query)
        await stored.tasks.page(replace(query, after=position(found[-1], sort)))
        for entry in profile.end():
            if entry["command"].get("limit") == PAGE:
                assert entry["keysExamined"] <= PAGE + 6, (sort, entry["keysExamined"])


async def test_the_database_takes_the_indexes_that_sharding_needs(database: Mongo) -> None:
    """No mongos can be had here: what it is sent is tested (test_database.py), what comes before it is done here."""
    for collection, key in SHARD_KEYS.items():
        raw: Any = database.collection(collection)
        name = await raw.create_index(list(key))
        found = (await database.collection(collection).index_information())[name]
        assert [tuple(member) for member in found["key"]] == list(key)
        assert sum(direction == HASHED for _, direction in key) <= 1


async def test_indexes_are_made_once(database: Mongo) -> None:
    names = await database.ensure_indexes(INDEXES)
    assert names == [f"{collection}.{index.name}" for collection, indexes in INDEXES.items() for index in indexes]
    assert await database.ensure_indexes(INDEXES) == names
    for collection, indexes in INDEXES.items():
        information = await database.collection(collection).index_information()
        assert set(information) == {"_id_", *(index.name for index in indexes)}
