"""A real replica set is dumped while it is written to, lost, and brought back with every document and index."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import ASCENDING, DESCENDING, MongoClient

from taskservice_keeper.backup.shelf import Shelf
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.mongodb.contents import contents, differences
from taskservice_keeper.mongodb.dump import ENDING, Tools, back_up, restore
from taskservice_local import builder
from taskservice_local.errors import LocalError
from testkit.mongod import ReplicaSet

OURS = frozenset({"taskservice", "other"})


@pytest.fixture(scope="module")
def tools() -> Tools:
    try:
        return Tools(str(builder.ensure_binary("mongodump")), str(builder.ensure_binary("mongorestore")))
    except LocalError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def client(replica_set: ReplicaSet) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient(replica_set.url, w="majority") as client:
        for name in OURS:
            client.drop_database(name)
        yield client


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, "mongodb", ENDING)


def fill(client: MongoClient[dict[str, Any]]) -> None:
    """Documents, and indexes and options of every kind that the services use."""
    tasks = client.taskservice.tasks
    tasks.insert_many([{"_id": number, "title": f"task {number}", "at": number * 1.5} for number in range(3000)])
    tasks.create_index([("title", ASCENDING), ("at", DESCENDING)], name="by_title")
    tasks.create_index("at", unique=True, partialFilterExpression={"at": {"$gt": 1}})
    client.taskservice.sessions.create_index("ends", expireAfterSeconds=3600)
    client.taskservice.create_collection("log", capped=True, size=4096)
    client.taskservice.log.insert_one({"_id": 1, "line": "é"})
    client.other.things.insert_one({"_id": {"a": 1}, "nested": [{"b": None}]})


def test_a_set_that_lost_everything_comes_back_with_every_document_and_index(
    replica_set: ReplicaSet, client: MongoClient[dict[str, Any]], shelf: Shelf, tools: Tools
) -> None:
    fill(client)
    before = contents(client, OURS)
    assert before["taskservice.tasks"].documents == 3000
    backup = back_up(replica_set.url, shelf, tools)
    for name in OURS:
        client.drop_database(name)
    assert contents(client, OURS) == {}

    restore(replica_set.url, backup, shelf, tools, replace=False, say=print)

    assert differences(before, contents(client, OURS)) == []


def test_what_came_after_a_backup_is_gone_when_it_is_brought_back_and_only_when_that_is_wanted(
    replica_set: ReplicaSet, client: MongoClient[dict[str, Any]], shelf: Shelf, tools: Tools
) -> None:
    fill(client)
    before = contents(client, OURS)
    backup = back_up(replica_set.url, shelf, tools)
    client.taskservice.tasks.update_one({"_id": 1}, {"$set": {"title": "changed"}})
    client.taskservice.later.insert_one({"_id": 1})
    client.other.drop_collection("things")
    assert len(differences(before, contents(client, OURS))) == 3

    with pytest.raises(
        KeeperError, match=r"holds data \(other, taskservice\)|holds data \(taskservice\). Add --replace"
    ):
        restore(replica_set.url, backup, shelf, tools, replace=False, say=print)
    assert client.taskservice.later.count_documents({}) == 1
    restore(replica_set.url, backup, shelf, tools, replace=True, say=print)

    assert differences(before, contents(client, OURS)) == []


def test_a_dump_taken_under_writes_is_the_state_of_one_moment(
    replica_set: ReplicaSet, client: MongoClient[dict[str, Any]], shelf: Shelf, tools: Tools
) -> None:
    """Each transaction adds one document to either collection: whatever moment a dump is of, their sums are equal."""
    left, right = client.taskservice.left, client.taskservice.right
    padding = "x" * 2000
    left.insert_many([{"_id": -number - 1, "pad": padding} for number in range(5000)])
    right.insert_many([{"_id": -number - 1, "pad": padding} for number in range(5000)])
    stop, written = threading.Event(), []

    def write() -> None:
        with client.start_session() as session:
            while not stop.is_set():
                number = len(written)
                with session.start_transaction():
                    left.insert_one({"_id": number}, session=session)
                    right.insert_one({"_id": number}, session=session)
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup = back_up(replica_set.url, shelf, tools)
    finally:
        stop.set()
        writer.join()
    assert written

    restore(replica_set.url, backup, shelf, tools, replace=True, say=print)

    ids = [sorted(document["_id"] for document in each.find({}, {"_id": 1})) for each in (left, right)]
    assert ids[0] == ids[1]
    assert 5000 <= len(ids[0]) <= 5000 + len(written)
    assert ids[0][5000:] == list(range(len(ids[0]) - 5000))  # no transaction is missing in between


def test_a_set_that_does_not_answer_leaves_no_backup(shelf: Shelf, tools: Tools) -> None:
    url = "mongodb://backup:hidden@127.0.0.1:1/?replicaSet=rs0&serverSelectionTimeoutMS=300"
    with pytest.raises(KeeperError, match="MongoDB does not answer") as told:
        back_up(url, shelf, tools)
    assert "hidden" not in str(told.value)
    assert shelf.finished() == []
