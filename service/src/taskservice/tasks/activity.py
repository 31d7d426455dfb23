"""What happened to tasks, as callers may read it. Knows neither HTTP nor MongoDB.

The worker tells what happened a moment after it did: an entry is there soon after a change, not with it.
"""

from collections.abc import Awaitable, Callable, Sequence

from taskservice.activity.entries import Entry
from taskservice.activity.repository import ActivityLog
from taskservice.kit.jwt import Principal
from taskservice.tasks import views
from taskservice.tasks.cursor import Cursors
from taskservice.tasks.schemas import ActivityPage
from taskservice.tasks.service import TaskService
from taskservice.tasks.views import Page

Find = Callable[[int, str | None], Awaitable[Sequence[Entry]]]
"""At most so many entries that come after a position."""


class Activity:
    """Activity of one caller at a time. Every method raises Unavailable when the store does not answer."""

    def __init__(self, tasks: TaskService, log: ActivityLog, cursors: Cursors) -> None:
        self._tasks = tasks
        self._log = log
        self._cursors = cursors

    async def of_task(self, caller: Principal, task_id: str, limit: int, cursor: str | None = None) -> Page:
        """An ActivityPage, latest first, for who may read the task. Raises NotFound, BadCursor."""
        await self._tasks.get(caller, task_id)

        async def find(most: int, before: str | None) -> Sequence[Entry]:
            return await self._log.of_task(task_id, most, before)

        return await self._page(find, lambda entry: entry.position, f"activity:{task_id}", limit, cursor)

    async def feed(self, caller: Principal, limit: int, cursor: str | None = None) -> Page:
        """An ActivityPage, newest first, of what concerns the caller. Raises BadCursor.

        What was told to somebody stays told: an entry was written for those it concerned when it happened, and
        stays with them when the task is taken from them later.
        """

        async def find(most: int, before: str | None) -> Sequence[Entry]:
            return await self._log.of_person(caller.user_id, most, before)

        return await self._page(find, lambda entry: entry.id, f"feed:{caller.user_id}", limit, cursor)

    async def _page(
        self, find: Find, position: Callable[[Entry], str], identity: str, limit: int, cursor: str | None
    ) -> Page:
        before = self._cursors.decode(cursor, identity) if cursor is not None else None
        found = await find(limit + 1, before)
        following = self._cursors.encode(position(found[limit - 1]), identity) if len(found) > limit else None
        page = ActivityPage(items=[views.activity(entry) for entry in found[:limit]], next=following)
        return Page(page.model_dump_json().encode(), following)
