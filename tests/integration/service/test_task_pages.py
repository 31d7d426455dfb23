"""Whatever happened to the tasks, the database shows the same pages as the plain reading of what a list means."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from taskservice.kit.mongo import Mongo
from taskservice.tasks import events
from taskservice.tasks.listing import Filter, Query, Scope, Sort, list_of, position
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.model import Change, Task
from testkit.tasks import NOW, a_task, mongo_tasks

pytestmark = pytest.mark.anyio

PEOPLE = ("ann", "bob")
TITLES = ("", "a", "A", "ab", "é", "E\u0301", "ß", "ss", "a.c", "abc", "日本", "\U0010ffff", "\ud7ff", "\ue000", "ﬁ")
LABELS = ("a", "a.", "a b", "b", "(", "[x]", "\\", "^$", "ß", "日本")
STATUSES = ("todo", "in_progress", "done")
STEPS, QUERIES, SEEDS = 60, 60, 4


def members(random: Random) -> dict[str, Any]:
    """Values of a task, few enough that many are equal."""
    return {
        "title": random.choice(TITLES) + random.choice(TITLES),
        "status": random.choice(STATUSES),
        "labels": tuple(random.sample(LABELS, random.randrange(4))),
        "due_at": random.choice([None, *(NOW + timedelta(days=n) for n in range(4))]),
        "assignee": random.choice((None, *PEOPLE)),
        "updated_at": NOW + timedelta(seconds=random.randrange(5)),
    }


def conditions(random: Random) -> Filter:
    days = [NOW + timedelta(days=n) for n in range(4)]
    return Filter(
        statuses=frozenset(random.sample(STATUSES, random.randrange(3))),
        assignee=random.choice((None, None, "", *PEOPLE)),
        label=random.choice((None, None, *LABELS)),
        title_prefix=random.choice(("", "", *TITLES)),
        due_from=random.choice((None, None, *days)),
        due_before=random.choice((None, None, *days)),
    )


def step(random: Random, tasks: list[Task]) -> tuple[str, Any]:
    """The id of a task, and what is decided about it."""
    values = members(random)
    if random.random() < 0.15:
        values["deleted_at"] = NOW

    def decide(task: Task) -> Change:
        after = replace(task, **values, version=task.version + 1)
        return Change(*events.updated(task, after, "ann"))

    return random.choice(tasks).id, decide


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_the_database_and_the_plain_reading_agree(seed: int, database: Mongo) -> None:
    random = Random(seed)
    mongo, memory = mongo_tasks(database), MemoryTasks()
    made = [a_task(random.choice(PEOPLE), **members(random)) for _ in range(30)]
    for task in made:
        await asyncio.gather(mongo.add(task, []), memory.add(task, []))
    for _ in range(STEPS):
        task_id, decide = step(random, made)
        assert await mongo.change(task_id, decide) == await memory.change(task_id, decide)
        assert await mongo.get(task_id) == await memory.get(task_id)
    shown = 0
    for _ in range(QUERIES):
        name = list_of(random.choice(list(Scope)), random.choice(PEOPLE))
        wanted = conditions(random) if random.random() < 0.8 else Filter()
        query = Query(name, random.randrange(1, 6), random.choice(list(Sort)), wanted)
        while found := await mongo.page(query):
            assert found == await memory.page(query), query
            shown += len(found)
            query = replace(query, after=position(found[-1], query.sort))
        assert await memory.page(query) == [], query
    assert shown > QUERIES  # enough was compared
