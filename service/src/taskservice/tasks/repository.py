"""All queries on tasks, their lists and their comments (docs/adr/0010-tasks-and-their-lists.md).

A task is one document, found by its id. For every list it is in there is an entry, a copy of what the list shows,
written in the same transaction: so a list is read from one place, whoever owns the tasks in it, and every query
names the shard key of its collection.
"""

from collections.abc import Sequence
from typing import Protocol

from taskservice.kit.events import Event
from taskservice.kit.idempotency import Answers, KeptAnswer
from taskservice.kit.mongo import (
    ASCENDING,
    DESCENDING,
    HASHED,
    Collection,
    Cursor,
    Document,
    Index,
    Mongo,
    Session,
    ShardKeys,
    translated,
)
from taskservice.kit.outbox import Outbox
from taskservice.tasks.documents import (
    comment_document,
    comment_of,
    entry_document,
    task_document,
    task_of,
    task_of_entry,
)
from taskservice.tasks.listing import (
    BY_AGE,
    BY_DUE,
    BY_TITLE,
    BY_UPDATE,
    ORDERS,
    Query,
    Range,
    label_pattern,
    lists_of,
    ranges,
)
from taskservice.tasks.model import Comment, Decide, Task

TASKS, ENTRIES, COMMENTS = "tasks", "task_entries", "task_comments"
STATUSES = ("todo", "in_progress", "done")
DELETED_SECONDS = 30 * 24 * 3600
_DELETED = {"deletedAt": {"$exists": True}}


def _order_index(name: str, order: str) -> Index:
    """Finds a page in one order.

    First what is always asked for, then the order. After that everything else that can be a condition: it is then
    judged by the index, and no document is read that is not in the answer. None of them is an array: an index with
    one in it cannot merge the statuses in their order, and would sort the whole list instead.
    """
    others = [member for member in (BY_DUE, BY_TITLE) if member != order]
    members = ("list", "status", order, "assignee", "labelLine", *others)
    return Index(name, tuple((member, ASCENDING) for member in members))


ORDER_INDEXES = {order: f"list_{order}" for order in (BY_AGE, BY_DUE, BY_UPDATE, BY_TITLE)}
INDEXES = {
    TASKS: (
        Index("deleted_expiry", (("deletedAt", ASCENDING),), expire_after_seconds=DELETED_SECONDS, partial=_DELETED),
    ),
    ENTRIES: tuple(_order_index(name, order) for order, name in ORDER_INDEXES.items()),
    COMMENTS: (
        Index("task_oldest", (("task", ASCENDING), ("_id", ASCENDING))),
        Index("deleted_expiry", (("deletedAt", ASCENDING),), expire_after_seconds=DELETED_SECONDS, partial=_DELETED),
    ),
}
SHARD_KEYS: ShardKeys = {
    TASKS: (("_id", HASHED),),
    ENTRIES: (("list", HASHED), ("task", ASCENDING)),
    COMMENTS: (("task", HASHED),),
}


class TaskRepository(Protocol):
    """Where tasks live. Every method raises Unavailable when the store does not answer."""

    async def add(self, task: Task, events: Sequence[Event], answer: KeptAnswer | None = None) -> None:
        """Stores a new task with all that belongs to it. Raises InFlight when the answer's key is taken."""
        ...

    async def get(self, task_id: str) -> Task | None:
        """The task, unless it is deleted."""
        ...

    async def change(self, task_id: str, decide: Decide) -> Task | None:
        """Stores what is decided about the task as it is; None when there is no such task.

        Raises what `decide` raises, and InFlight as `add` does.
        """
        ...

    async def page(self, query: Query) -> list[Task]: ...

    async def comments(self, task_id: str, limit: int, after: str | None) -> list[Comment]:
        """The oldest comments of a task whose id is after this one."""
        ...


class MongoTasks:
    """TaskRepository on MongoDB."""

    def __init__(self, database: Mongo, outbox: Outbox, answers: Answers) -> None:
        self._transaction = database.transaction
        self._tasks = database.collection(TASKS)
        self._entries = database.collection(ENTRIES)
        self._comments = database.collection(COMMENTS)
        self._outbox = outbox
        self._answers = answers

    async def add(self, task: Task, events: Sequence[Event], answer: KeptAnswer | None = None) -> None:
        async def work(session: Session) -> None:
            if answer is not None:
                await self._answers.keep(session, answer)
            await self._tasks.insert_one(task_document(task), session=session)
            entries = [entry_document(task, name) for name in sorted(lists_of(task))]
            await self._entries.insert_many(entries, session=session)
            await self._outbox.append(session, events)

        await self._transaction(work)

    async def get(self, task_id: str) -> Task | None:
        async with translated():
            document = await self._tasks.find_one({"_id": task_id, "deletedAt": None})
        return task_of(document) if document else None

    async def change(self, task_id: str, decide: Decide) -> Task | None:
        async def work(session: Session) -> Task | None:
            document = await self._tasks.find_one({"_id": task_id, "deletedAt": None}, session=session)
            if document is None:
                return None
            before = task_of(document)
            change = decide(before)
            after = change.after
            if after is before:
                return before
            if change.answer is not None:
                await self._answers.keep(session, change.answer)
            # If anybody else changes the task meanwhile, the database undoes this and it is decided anew.
            await self._tasks.update_one({"_id": task_id}, {"$set": task_document(after)}, session=session)
            if after.version != before.version:
                await self._rewrite(session, before, after)
            if change.comment is not None:
                await self._comments.insert_one(comment_document(change.comment), session=session)
            if after.deleted_at is not None and after.comments:
                mark = {"$set": {"deletedAt": after.deleted_at}}
                await self._comments.update_many({"task": task_id}, mark, session=session)
            await self._outbox.append(session, change.events)
            return after

        return await self._transaction(work)

    async def _rewrite(self, session: Session, before: Task, after: Task) -> None:
        """Brings the entries of a task to what it is now."""
        lists = lists_of(after)
        for name in sorted(lists_of(before) - lists):
            await self._entries.delete_one(_entry_key(entry_document(before, name)), session=session)
        for name in sorted(lists):
            entry = entry_document(after, name)
            await self._entries.update_one(_entry_key(entry), {"$set": entry}, upsert=True, session=session)

    async def page(self, query: Query) -> list[Task]:
        async with translated():
            documents = await find(self._entries, query).to_list(query.limit)
        return [task_of_entry(document) for document in documents]

    async def comments(self, task_id: str, limit: int, after: str | None) -> list[Comment]:
        condition: Document = {"task": task_id}
        if after is not None:
            condition["_id"] = {"$gt": after}
        async with translated():
            documents = await self._comments.find(condition).sort("_id", ASCENDING).limit(limit).to_list(limit)
        return [comment_of(document) for document in documents]


def find(entries: Collection, query: Query) -> Cursor:
    """The query of a list, not yet sent.

    It names its index: which one is right follows from the order, and the planner would sometimes guess to sort.
    It always names statuses, all if need be: the database then merges one ordered scan of each.
    """
    wanted = query.filter
    statuses = sorted(wanted.statuses or STATUSES)
    condition: Document = {"list": query.list, "status": {"$in": statuses}}
    if wanted.assignee is not None:
        condition["assignee"] = wanted.assignee or None
    if wanted.label is not None:
        condition["labelLine"] = {"$regex": label_pattern(wanted.label)}
    for member, span in ranges(query).items():
        condition[member] = _operators(span)
    order, backwards = ORDERS[query.sort]
    found = entries.find(condition).sort(order, DESCENDING if backwards else ASCENDING)
    return found.hint(ORDER_INDEXES[order]).limit(query.limit)


def _entry_key(entry: Document) -> Document:
    return {member: entry[member] for member in ("_id", "list", "task")}


def _operators(span: Range) -> Document:
    operators: Document = {}
    if span.low is not None:
        operators["$gt" if span.low_open else "$gte"] = span.low
    if span.high is not None:
        operators["$lt"] = span.high
    return operators
