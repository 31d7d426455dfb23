"""All queries on tasks. Every index is led by `createdBy`, which is also the shard key to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from taskservice.kit.mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Cursor,
    Document,
    Index,
    ReturnDocument,
    translated,
)

TASKS = "tasks"
INDEXES = {
    TASKS: (
        Index("owner_newest", (("createdBy", ASCENDING), ("_id", DESCENDING))),
        Index("owner_status_newest", (("createdBy", ASCENDING), ("status", ASCENDING), ("_id", DESCENDING))),
    )
}


@dataclass(frozen=True)
class Task:
    """A task as stored."""

    id: str
    title: str
    description: str
    status: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True)
class Query:
    """A page of one owner's tasks, newest first; `after` is the id before the page."""

    owner: str
    limit: int
    status: str | None = None
    after: str | None = None


class TaskRepository(Protocol):
    """Where tasks live. Every method raises Unavailable when the store does not answer."""

    async def add(self, task: Task) -> None: ...
    async def get(self, task_id: str) -> Task | None: ...
    async def list(self, query: Query) -> list[Task]: ...

    async def update(self, owner: str, task_id: str, changes: Mapping[str, Any], now: datetime) -> Task | None:
        """Applies changes by field name, in one step with the version; None when the task is gone."""
        ...

    async def delete(self, owner: str, task_id: str) -> bool: ...


class MongoTasks:
    """TaskRepository on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._tasks = collection

    async def add(self, task: Task) -> None:
        async with translated():
            await self._tasks.insert_one(_document(task))

    async def get(self, task_id: str) -> Task | None:
        async with translated():
            return _task(await self._tasks.find_one({"_id": task_id}))

    async def list(self, query: Query) -> list[Task]:
        async with translated():
            documents = await self.find(query).to_list(query.limit)
        return [task for document in documents if (task := _task(document))]

    def find(self, query: Query) -> Cursor:
        """The query of `list`, not yet sent; open so that its plan can be checked."""
        conditions: Document = {"createdBy": query.owner}
        if query.status is not None:
            conditions["status"] = query.status
        if query.after is not None:
            conditions["_id"] = {"$lt": query.after}
        return self._tasks.find(conditions).sort("_id", DESCENDING).limit(query.limit)

    async def update(self, owner: str, task_id: str, changes: Mapping[str, Any], now: datetime) -> Task | None:
        async with translated():
            return _task(
                await self._tasks.find_one_and_update(
                    {"_id": task_id, "createdBy": owner},
                    {"$set": {**changes, "updatedAt": now}, "$inc": {"version": 1}},
                    return_document=ReturnDocument.AFTER,
                )
            )

    async def delete(self, owner: str, task_id: str) -> bool:
        async with translated():
            result = await self._tasks.delete_one({"_id": task_id, "createdBy": owner})
        return result.deleted_count == 1


def _document(task: Task) -> Document:
    return {
        "_id": task.id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "createdBy": task.created_by,
        "createdAt": task.created_at,
        "updatedAt": task.updated_at,
        "version": task.version,
    }


def _task(document: Document | None) -> Task | None:
    if document is None:
        return None
    return Task(
        id=document["_id"],
        title=document["title"],
        description=document["description"],
        status=document["status"],
        created_by=document["createdBy"],
        created_at=document["createdAt"],
        updated_at=document["updatedAt"],
        version=document["version"],
    )
