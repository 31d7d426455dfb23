"""What happens to tasks. Knows neither HTTP nor MongoDB nor Redis.

Every change is decided by a pure step about the task as it is, which the repository asks for inside its transaction;
the step names the new task, the events that tell of it and the answer to keep, and all are stored together.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Any

from taskservice.kit.errors import NotFound
from taskservice.kit.idempotency import Answer, Answers, KeptAnswer, RequestKey, once
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Principal
from taskservice.tasks import events, policy, views
from taskservice.tasks.cache import ListCache, Sought
from taskservice.tasks.cursor import Cursors
from taskservice.tasks.directory import Directory
from taskservice.tasks.errors import Forbidden, PreconditionFailed, TooManyComments, UnknownAssignee
from taskservice.tasks.listing import Filter, Query, Scope, Sort, list_of, position
from taskservice.tasks.model import MAX_COMMENTS, Change, Comment, Decide, Task
from taskservice.tasks.policy import Action
from taskservice.tasks.repository import TaskRepository
from taskservice.tasks.schemas import CommentPage, NewComment, NewTask, TaskChange, TaskPage, TaskView
from taskservice.tasks.views import Page

Versions = frozenset[int] | None
"""The versions of a task that a change may be made to; None for any."""


class TaskService:
    """Tasks of one caller at a time. Every method raises Unavailable when the store does not answer."""

    def __init__(
        self,
        tasks: TaskRepository,
        answers: Answers,
        directory: Directory,
        cache: ListCache,
        cursors: Cursors,
        now: Callable[[], datetime],
    ) -> None:
        self._tasks = tasks
        self._answers = answers
        self._directory = directory
        self._cache = cache
        self._cursors = cursors
        self._now = now

    async def create(self, caller: Principal, new: NewTask, key: RequestKey | None = None) -> Answer:
        """Raises UnknownAssignee, KeyReused, InFlight."""

        async def work() -> Answer:
            await self._known(caller, new.assignee)
            now = self._moment()
            values = _members(new.model_dump())
            fresh = Task(id=new_id(), created_by=caller.user_id, created_at=now, updated_at=now, **values)
            task, told = events.created(fresh, caller.user_id)
            answer = views.created(task)
            async with self._writing(set(task.people)):
                await self._tasks.add(task, told, KeptAnswer(key, answer) if key else None)
            return answer

        return await once(self._answers, key, work)

    async def get(self, caller: Principal, task_id: str) -> TaskView:
        """Raises NotFound, also for a task that the caller may not see."""
        return views.task(await self._readable(caller, task_id))

    def query(
        self,
        caller: Principal,
        limit: int,
        scope: Scope = Scope.MINE,
        sort: Sort = Sort.NEWEST,
        filter: Filter = Filter(),  # noqa: B008 - immutable
        cursor: str | None = None,
    ) -> Query:
        """A page of one of the caller's lists; the same for the same arguments. Raises BadCursor."""
        query = Query(list_of(scope, caller.user_id), limit, sort, filter)
        if cursor is None:
            return query
        return replace(query, after=self._cursors.decode(cursor, query.identity))

    def seek(self, caller: Principal, query: Query) -> Sought | None:
        """Begins to look a page up in the cache, for `page` of the same request."""
        return self._cache.seek(caller.user_id, query.key)

    async def page(self, caller: Principal, query: Query, sought: Sought | None = None) -> Page:
        """The TaskPage of a query of this caller, from the cache when it is certain."""

        async def read() -> bytes:
            found = await self._tasks.page(query.one_more())
            last = position(found[query.limit - 1], query.sort) if len(found) > query.limit else None
            following = self._cursors.encode(last, query.identity) if last else None
            page = TaskPage(items=[views.task(task) for task in found[: query.limit]], next=following)
            return Page(page.model_dump_json().encode(), following).packed()

        return Page.unpacked(await self._cache.through(caller.user_id, query.key, read, sought))

    async def update(self, caller: Principal, task_id: str, change: TaskChange, versions: Versions = None) -> TaskView:
        """Raises NotFound, PreconditionFailed. A change to what is already so changes nothing."""
        values = _members(change.model_dump(exclude_unset=True))

        def decide(task: Task) -> Change:
            self._permit(caller, Action.UPDATE, task, versions)
            after = replace(task, **values)
            if after == task:
                return Change(task)
            return Change(*events.updated(task, self._touched(after), caller.user_id))

        return views.task(await self._change(task_id, decide))

    async def assign(
        self, caller: Principal, task_id: str, assignee: str | None, versions: Versions = None
    ) -> TaskView:
        """Raises NotFound, Forbidden, PreconditionFailed, UnknownAssignee."""
        action = Action.RELEASE if assignee is None else Action.ASSIGN
        self._permit(caller, action, await self._readable(caller, task_id))
        await self._known(caller, assignee)

        def decide(task: Task) -> Change:
            self._permit(caller, action, task, versions)
            if task.assignee == assignee:
                return Change(task)
            after = self._touched(replace(task, assignee=assignee))
            return Change(*events.assigned(task, after, caller.user_id))

        return views.task(await self._change(task_id, decide))

    async def delete(self, caller: Principal, task_id: str, versions: Versions = None) -> None:
        """Raises NotFound, Forbidden, PreconditionFailed."""

        def decide(task: Task) -> Change:
            self._permit(caller, Action.DELETE, task, versions)
            after = self._touched(task)
            after = replace(after, deleted_at=after.updated_at)
            return Change(*events.deleted(after, caller.user_id, after.updated_at))

        await self._change(task_id, decide)

    async def comment(self, caller: Principal, task_id: str, new: NewComment, key: RequestKey | None = None) -> Answer:
        """Raises NotFound, TooManyComments, KeyReused, InFlight."""

        async def work() -> Answer:
            comment = Comment(
                id=new_id(), task=task_id, author=caller.user_id, text=new.text, created_at=self._moment()
            )
            answer = views.commented(comment)

            def decide(task: Task) -> Change:
                self._permit(caller, Action.COMMENT, task)
                if task.comments >= MAX_COMMENTS:
                    raise TooManyComments(f"The limit is {MAX_COMMENTS}.")
                counted = replace(task, comments=task.comments + 1)
                after, told = events.commented(counted, comment, caller.user_id)
                return Change(after, told, comment, KeptAnswer(key, answer) if key else None)

            # No list shows comments: nothing of the cache is to be forgotten.
            if await self._tasks.change(task_id, decide) is None:
                raise NotFound
            return answer

        return await once(self._answers, key, work)

    async def comments(self, caller: Principal, task_id: str, limit: int, cursor: str | None = None) -> Page:
        """A CommentPage. Raises NotFound, BadCursor."""
        await self._readable(caller, task_id)
        identity = f"comments:{task_id}"
        after = self._cursors.decode(cursor, identity) if cursor is not None else None
        found = await self._tasks.comments(task_id, limit + 1, after)
        following = self._cursors.encode(found[limit - 1].id, identity) if len(found) > limit else None
        page = CommentPage(items=[views.comment(comment) for comment in found[:limit]], next=following)
        return Page(page.model_dump_json().encode(), following)

    async def _readable(self, caller: Principal, task_id: str) -> Task:
        task = await self._tasks.get(task_id)
        if task is None:
            raise NotFound
        self._permit(caller, Action.READ, task)
        return task

    def _permit(self, caller: Principal, action: Action, task: Task, versions: Versions = None) -> None:
        if not policy.allows(caller, action, task.created_by, task.assignee):
            readable = policy.allows(caller, Action.READ, task.created_by, task.assignee)
            raise Forbidden if readable else NotFound
        if versions is not None and task.version not in versions:
            raise PreconditionFailed

    async def _known(self, caller: Principal, assignee: str | None) -> None:
        if assignee not in (None, caller.user_id) and not await self._directory.find([assignee]):
            raise UnknownAssignee

    def _touched(self, task: Task) -> Task:
        """The task with its next version. Time never goes back, whichever replica's clock is asked."""
        return replace(task, updated_at=max(self._moment(), task.updated_at), version=task.version + 1)

    async def _change(self, task_id: str, decide: Decide) -> Task:
        people: set[str] = set()

        def noting(task: Task) -> Change:
            change = decide(task)
            if change.after is not task:
                people.update(task.people | change.after.people)
            return change

        async with self._writing(people):
            task = await self._tasks.change(task_id, noting)
        if task is None:
            raise NotFound
        return task

    @asynccontextmanager
    async def _writing(self, people: set[str]) -> AsyncIterator[None]:
        """Forgets the cached lists of these users after a write, before it is acknowledged.

        Also after a failed one: a write that timed out may have happened.
        """
        try:
            yield
        finally:
            if people:
                await self._cache.bump(people)

    def _moment(self) -> datetime:
        """Now, in the milliseconds that the database keeps."""
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _members(values: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a request as those of a task."""
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
    return plain | ({"labels": tuple(plain["labels"])} if "labels" in plain else {})
