"""What `migrate` makes: every collection that is queried has its list, and what a mongos is sent is complete."""

import pytest

from taskservice.database import INDEXES, RETIRED, SHARD_KEYS, WHOLE
from taskservice.kit.mongo import HASHED, shard_command
from taskservice.tasks.repository import STATUSES
from taskservice.tasks.schemas import Status


def test_every_sharded_collection_has_one_hashed_member_that_comes_first() -> None:
    for collection, key in SHARD_KEYS.items():
        assert [direction for _, direction in key].index(HASHED) == 0, collection
        assert sum(direction == HASHED for _, direction in key) == 1, collection


def test_every_collection_is_spread_or_said_to_be_small() -> None:
    assert INDEXES.keys() <= SHARD_KEYS.keys()
    assert not WHOLE & SHARD_KEYS.keys()


def test_what_is_retired_is_not_made_again() -> None:
    for collection, names in RETIRED.items():
        assert not {index.name for index in INDEXES.get(collection, ())} & set(names)


@pytest.mark.parametrize("collection", SHARD_KEYS)
def test_no_unique_index_of_a_sharded_collection_leaves_its_key_out(collection: str) -> None:
    """A sharded cluster refuses it: a shard could not know of the others' values."""
    for index in INDEXES.get(collection, ()):
        if index.unique:
            assert {name for name, _ in SHARD_KEYS[collection]} <= {name for name, _ in index.keys}, index.name


def test_a_mongos_is_sent_the_whole_name_and_key() -> None:
    assert shard_command("db", "tasks", (("list", HASHED), ("task", 1))) == {
        "shardCollection": "db.tasks",
        "key": {"list": "hashed", "task": 1},
    }


def test_a_list_asks_for_every_status_there_is() -> None:
    assert set(STATUSES) == {status.value for status in Status}
