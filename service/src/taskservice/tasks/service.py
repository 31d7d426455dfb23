"""What happens to tasks. Knows neither HTTP nor MongoDB nor Redis."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from taskservice.kit.errors import NotFound
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Principal
from taskservice.tasks import cursor, policy
from taskservice.tasks.cache import ListCache
from taskservice.tasks.policy import Action
from taskservice.tasks.repository import Query, Task, TaskRepository
from taskservice.tasks.schemas import NewTask, Status, TaskChange, TaskPage, TaskView


class TaskService:
    """Tasks of one caller at a time. Every method raises Unavailable when the store does not answer."""

    def __init__(self, tasks: TaskRepository, cache: ListCache, now: Callable[[], datetime]) -> None:
        self._tasks = tasks
        self._cache = cache
        self._now = now

    async def create(self, caller: Principal, new: NewTask) -> TaskView:
        now = self._moment()
        task = Task(
            id=new_id(),
            title=new.title,
            description=new.description,
            status=new.status.value,
            created_by=caller.user_id,
            created_at=now,
            updated_at=now,
        )
        async with self._writing(caller.user_id):
            await self._tasks.add(task)
        return _view(task)

    async def get(self, caller: Principal, task_id: str) -> TaskView:
        """Raises NotFound, also for a task that the caller may not see."""
        return _view(await self._permitted(caller, Action.READ, task_id))

    async def list_page(
        self, caller: Principal, limit: int, status: Status | None = None, after: str | None = None
    ) -> bytes:
        """A TaskPage as JSON, from the cache when it is certain. Raises BadCursor."""
        query = Query(caller.user_id, limit, status.value if status else None, cursor.decode(after) if after else None)
        key = f"{query.limit}:{query.status or ''}:{query.after or ''}"
        found = await self._cache.look_up(query.owner, key)
        if found.page is not None:
            return found.page
        page = _page(await self._tasks.list(_one_more(query)), query.limit)
        if found.tag is not None:
            await self._cache.fill(query.owner, key, found.tag, page)
        return page

    async def update(self, caller: Principal, task_id: str, change: TaskChange) -> TaskView:
        """Raises NotFound."""
        task = await self._permitted(caller, Action.UPDATE, task_id)
        changes = change.model_dump(mode="json", exclude_unset=True)
        async with self._writing(task.created_by):
            changed = await self._tasks.update(task.created_by, task_id, changes, self._moment())
        if changed is None:
            raise NotFound
        return _view(changed)

    async def delete(self, caller: Principal, task_id: str) -> None:
        """Raises NotFound."""
        task = await self._permitted(caller, Action.DELETE, task_id)
        async with self._writing(task.created_by):
            deleted = await self._tasks.delete(task.created_by, task_id)
        if not deleted:
            raise NotFound

    async def _permitted(self, caller: Principal, action: Action, task_id: str) -> Task:
        task = await self._tasks.get(task_id)
        if task is None or not policy.allows(caller, action, task.created_by, None):
            raise NotFound
        return task

    @asynccontextmanager
    async def _writing(self, owner: str) -> AsyncIterator[None]:
        """Forgets the owner's cached lists after a write, before it is acknowledged.

        Also after a failed one: a write that timed out may have happened.
        """
        try:
            yield
        finally:
            await self._cache.bump(owner)

    def _moment(self) -> datetime:
        """Now, in the milliseconds that the database keeps."""
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _one_more(query: Query) -> Query:
    """One task beyond the page tells whether there is a next one."""
    return Query(query.owner, query.limit + 1, query.status, query.after)


def _page(tasks: list[Task], limit: int) -> bytes:
    following = cursor.encode(tasks[limit - 1].id) if len(tasks) > limit else None
    page = TaskPage(items=[_view(task) for task in tasks[:limit]], next=following)
    return page.model_dump_json().encode()


def _view(task: Task) -> TaskView:
    return TaskView(
        id=task.id,
        title=task.title,
        description=task.description,
        status=Status(task.status),
        created_by=task.created_by,
        created_at=task.created_at,
        updated_at=task.updated_at,
        version=task.version,
    )
