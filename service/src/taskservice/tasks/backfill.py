"""Tasks of before there were list entries: they get theirs, and the members that a task has had since."""

from taskservice.kit.backfill import Backfill
from taskservice.kit.mongo import Document, Mongo, Session, translated
from taskservice.tasks.documents import SINCE, entry_document, task_of
from taskservice.tasks.listing import lists_of
from taskservice.tasks.repository import ENTRIES, TASKS

TOGETHER = 100
"""So many tasks are repaired in one transaction: few enough that who changes one of them hardly waits."""


async def repair(database: Mongo, rows: list[Document]) -> int:
    """Gives those tasks their entries that lack any. Raises Unavailable."""
    wanted = {entry["_id"]: entry["task"] for row in rows for entry in _entries(row)}
    async with translated():
        found = await database.collection(ENTRIES).find({"_id": {"$in": list(wanted)}}).to_list()
    lacking = dict.fromkeys(wanted[id_] for id_ in wanted.keys() - {entry["_id"] for entry in found})
    for start in range(0, len(lacking), TOGETHER):
        some = list(lacking)[start : start + TOGETHER]
        await database.transaction(lambda session, some=some: _list(database, some, session))
    return len(lacking)


async def _list(database: Mongo, ids: list[str], session: Session) -> None:
    tasks, entries = database.collection(TASKS), database.collection(ENTRIES)
    which = {"_id": {"$in": ids}, "deletedAt": None}
    values: Document = {name: {"$ifNull": [f"${name}", {"$literal": value}]} for name, value in SINCE.items()}
    # Counted, so that it is a change in any case: whoever changes a task meanwhile, or has, collides with this.
    values["relisted"] = {"$add": [{"$ifNull": ["$relisted", 0]}, 1]}
    await tasks.update_many(which, [{"$set": values}], session=session)
    rows = await tasks.find(which, session=session).to_list()
    wanted = {entry["_id"]: entry for row in rows for entry in _entries(row)}
    there = await entries.find({"_id": {"$in": list(wanted)}}, session=session).to_list()
    for entry in there:
        del wanted[entry["_id"]]
    if wanted:
        await entries.insert_many(list(wanted.values()), session=session)


def _entries(row: Document) -> list[Document]:
    task = task_of(row)
    return [entry_document(task, name) for name in sorted(lists_of(task))]


BACKFILL = Backfill("task entries", TASKS, repair)
