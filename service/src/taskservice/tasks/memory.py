"""TaskRepository in dictionaries, for tests and experiments; the same contract tests run on both.

Written the plain way, from what a list means and not from how it is stored: it is what the database is compared with.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from taskservice.kit.events import Event
from taskservice.kit.idempotency import Answers, KeptAnswer, MemoryAnswers
from taskservice.kit.outbox import MemoryOutbox
from taskservice.tasks.listing import ORDERS, Query, Sort, lists_of, position, title_key
from taskservice.tasks.model import Comment, Decide, Task

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
NO_SESSION: Any = None

ORDER: dict[str, Callable[[Task], Any]] = {
    "newest": lambda task: task.id,
    "oldest": lambda task: task.id,
    "due": lambda task: (task.due_at or END_OF_TIME, task.id),
    "updated": lambda task: (task.updated_at, task.id),
    "title": lambda task: (title_key(task.title), task.id),
}


class MemoryTasks:
    """Forgets everything with the process."""

    def __init__(self, outbox: MemoryOutbox | None = None, answers: Answers | None = None) -> None:
        self._by_id: dict[str, Task] = {}
        self._comments: list[Comment] = []
        self._outbox = outbox or MemoryOutbox()
        self._answers = answers or MemoryAnswers()

    async def add(self, task: Task, events: Sequence[Event], answer: KeptAnswer | None = None) -> None:
        if answer is not None:
            await self._answers.keep(NO_SESSION, answer)
        self._by_id[task.id] = task
        await self._outbox.append(NO_SESSION, events)

    async def get(self, task_id: str) -> Task | None:
        task = self._by_id.get(task_id)
        return task if task and task.deleted_at is None else None

    async def change(self, task_id: str, decide: Decide) -> Task | None:
        before = await self.get(task_id)
        if before is None:
            return None
        change = decide(before)
        if change.after is before:
            return before
        if change.answer is not None:
            await self._answers.keep(NO_SESSION, change.answer)
        self._by_id[task_id] = change.after
        if change.comment is not None:
            self._comments.append(change.comment)
        await self._outbox.append(NO_SESSION, change.events)
        return change.after

    async def page(self, query: Query) -> list[Task]:
        backwards = ORDERS[query.sort][1]
        order = ORDER[Sort(query.sort).value.removeprefix("-")]
        found = sorted(filter(lambda task: _matches(task, query), self._by_id.values()), key=order, reverse=backwards)
        if query.after is not None:
            places = [position(task, query.sort) for task in found]
            found = [
                task
                for task, place in zip(found, places, strict=True)
                if (place < query.after if backwards else place > query.after)
            ]
        return found[: query.limit]

    async def comments(self, task_id: str, limit: int, after: str | None) -> list[Comment]:
        found = [comment for comment in self._comments if comment.task == task_id and comment.id > (after or "")]
        return sorted(found, key=lambda comment: comment.id)[:limit]


def _matches(task: Task, query: Query) -> bool:
    wanted, due = query.filter, task.due_at
    return (
        query.list in lists_of(task)
        and (not wanted.statuses or task.status in wanted.statuses)
        and (wanted.assignee is None or (task.assignee or "") == wanted.assignee)
        and (wanted.label is None or wanted.label in task.labels)
        and title_key(task.title).startswith(title_key(wanted.title_prefix))
        and (wanted.due_from is None or (due is not None and due >= wanted.due_from))
        and (wanted.due_before is None or (due is not None and due < wanted.due_before))
    )
