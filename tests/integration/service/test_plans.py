"""Every query of every repository is answered by an index, reads no more than it returns, and names its shard key.

What is judged is what the driver sends: the database writes down each operation (its profiler), which is then
explained once more. What is asked stands in `testkit.database_questions`. The drivers send the same; one is enough.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import MongoClient

from taskservice.database import INDEXES, SHARD_KEYS
from taskservice.kit.mongo import HASHED, Document, Mongo
from taskservice.tasks.listing import Query, Sort, position
from taskservice.tasks.repository import ENTRIES
from testkit.database_contents import Stored, fill
from testkit.database_profile import Profile, collection_of, condition, kind, stages
from testkit.database_questions import ASKED, EVERYWHERE, MINE, ONLY_INSERTS, PAGE, retitled
from testkit.mongod import ReplicaSet

pytestmark = pytest.mark.anyio


@pytest.fixture
def driver() -> str:
    return "motor"


@pytest.fixture
async def stored(database: Mongo) -> Stored:
    return await fill(database)


@pytest.fixture
def profile(replica_set: ReplicaSet, database_name: str) -> Iterator[Profile]:
    with MongoClient[Document](replica_set.url, timeoutMS=15_000) as client:
        yield Profile(client, database_name)


@pytest.mark.parametrize("name", ASKED)
async def test_every_query_is_answered_by_an_index_and_names_its_shard_key(
    name: str, stored: Stored, profile: Profile
) -> None:
    profile.begin()
    await ASKED[name](stored)
    entries = profile.end()
    judge_plans(name, [entry for entry in entries if entry["op"] != "insert"], profile)
    judge_shard_keys(name, entries)


def judge_plans(name: str, entries: list[Document], profile: Profile) -> None:
    assert entries or name in ONLY_INSERTS
    for entry in entries:
        told = (entry["ns"], condition(entry), entry.get("planSummary"))
        assert entry["planSummary"].startswith(("IXSCAN", "IDHACK", "COUNT_SCAN")), told
        assert not entry.get("hasSortStage"), told
        returned = entry.get("nreturned", entry.get("nMatched", 0) + entry.get("ndeleted", 0))
        assert entry["docsExamined"] <= returned + PAGE, told
        if entry["op"] == "query" and entry["ns"].endswith(ENTRIES):
            assert entry["docsExamined"] == returned, told
        if kind(entry) == "aggregate":
            continue
        explained = profile.explain(entry)
        used = stages(explained["queryPlanner"]["winningPlan"])
        assert used & {"IXSCAN", "IDHACK", "EXPRESS_IXSCAN"}, told
        assert not used & {"COLLSCAN", "SORT"}, told


def judge_shard_keys(name: str, entries: list[Document]) -> None:
    everywhere: list[Document] = []
    judged = 0
    for entry in entries:
        if collection_of(entry) not in SHARD_KEYS or entry["op"] == "insert":
            continue  # a document that is inserted has all its members
        members = [member for member, _ in SHARD_KEYS[collection_of(entry)]]
        needed = members if entry["command"].get("upsert") else members[:1]
        if not all(names(member, condition(entry)) for member in needed):
            everywhere.append(condition(entry))
        judged += 1
    assert bool(everywhere) == (name in EVERYWHERE), everywhere
    assert judged or name in {*ONLY_INSERTS, "lease"}


def names(member: str, wanted: Document) -> bool:
    """Whether the condition says which values of a member it is about."""
    asked = wanted.get(member, {})
    return not isinstance(asked, dict) or set(asked) == {"$in"}


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
