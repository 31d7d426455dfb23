"""When two looks at a database are the same."""

from __future__ import annotations

from taskservice_keeper.mongodb.contents import Collection, differences

TASKS = Collection(2, "d1", '{"name": "_id_"}', "{}")


def test_the_same_is_the_same() -> None:
    assert differences({"a.tasks": TASKS}, {"a.tasks": TASKS}) == []


def test_each_difference_has_a_line() -> None:
    before = {"a.tasks": TASKS, "a.users": TASKS, "a.old": TASKS, "a.idx": TASKS}
    after = {
        "a.tasks": Collection(3, "d2", TASKS.indexes, "{}"),
        "a.users": Collection(2, "d2", TASKS.indexes, "{}"),
        "a.new": TASKS,
        "a.idx": Collection(2, "d1", "[]", "{}"),
    }
    assert differences(before, after) == [
        "a.idx: its indexes differ",
        "a.new is new",
        "a.old is missing",
        "a.tasks has 3 documents, not 2",
        "a.users: its digest differ",
    ]
