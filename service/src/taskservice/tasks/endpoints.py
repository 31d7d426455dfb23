"""HTTP in and out for tasks; decides nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from taskservice.kit.bearer import Caller
from taskservice.kit.errors import NotFound
from taskservice.kit.openapi import refusals
from taskservice.tasks.errors import BadCursor
from taskservice.tasks.schemas import CursorText, NewTask, PageSize, Status, TaskChange, TaskPage, TaskView
from taskservice.tasks.service import TaskService

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

DEFAULT_PAGE = 20


async def _service(request: Request) -> TaskService:
    return request.app.state.tasks


Service = Annotated[TaskService, Depends(_service)]


@router.post("", status_code=201, operation_id="create_task")
async def create(new: NewTask, caller: Caller, service: Service, response: Response) -> TaskView:
    task = await service.create(caller, new)
    response.headers["Location"] = f"/v1/tasks/{task.id}"
    return task


@router.get("", operation_id="list_tasks", response_model=TaskPage, responses=refusals(BadCursor))
async def list_tasks(
    caller: Caller,
    service: Service,
    status: Annotated[Status | None, Query()] = None,
    limit: Annotated[PageSize, Query()] = DEFAULT_PAGE,
    cursor: Annotated[CursorText | None, Query()] = None,
) -> Response:
    # Sent as it was cached: parsing and serialising it again would cost more than the look-up.
    return Response(await service.list_page(caller, limit, status, cursor), media_type="application/json")


@router.get("/{task_id}", operation_id="get_task", responses=refusals(NotFound))
async def get(task_id: UUID, caller: Caller, service: Service) -> TaskView:
    return await service.get(caller, str(task_id))


@router.patch("/{task_id}", operation_id="update_task", responses=refusals(NotFound))
async def update(task_id: UUID, change: TaskChange, caller: Caller, service: Service) -> TaskView:
    return await service.update(caller, str(task_id), change)


@router.delete("/{task_id}", status_code=204, operation_id="delete_task", responses=refusals(NotFound))
async def delete(task_id: UUID, caller: Caller, service: Service) -> None:
    await service.delete(caller, str(task_id))
