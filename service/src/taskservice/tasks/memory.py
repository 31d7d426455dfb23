"""TaskRepository in a dictionary, for tests and experiments; the same contract tests run on both."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from taskservice.tasks.repository import Query, Task


class MemoryTasks:
    """Forgets everything with the process."""

    def __init__(self) -> None:
        self._by_id: dict[str, Task] = {}

    async def add(self, task: Task) -> None:
        self._by_id[task.id] = task

    async def get(self, task_id: str) -> Task | None:
        return self._by_id.get(task_id)

    async def list(self, query: Query) -> list[Task]:
        matching = (
            task
            for task in self._by_id.values()
            if task.created_by == query.owner
            and query.status in (None, task.status)
            and (query.after is None or task.id < query.after)
        )
        return sorted(matching, key=lambda task: task.id, reverse=True)[: query.limit]

    async def update(self, owner: str, task_id: str, changes: Mapping[str, Any], now: datetime) -> Task | None:
        task = self._by_id.get(task_id)
        if task is None or task.created_by != owner:
            return None
        changed = replace(task, **changes, updated_at=now, version=task.version + 1)
        self._by_id[task_id] = changed
        return changed

    async def delete(self, owner: str, task_id: str) -> bool:
        task = self._by_id.get(task_id)
        if task is None or task.created_by != owner:
            return False
        del self._by_id[task_id]
        return True
