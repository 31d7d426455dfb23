"""HTTP in and out for tasks; decides nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from taskservice.kit.bearer import Caller
from taskservice.kit.errors import NotFound
from taskservice.kit.idempotency import InFlight, KeyReused
from taskservice.kit.idempotency_header import Key, answered
from taskservice.kit.openapi import refusals
from taskservice.tasks.errors import BadCursor, Forbidden, PreconditionFailed, TooManyComments, UnknownAssignee
from taskservice.tasks.list_lane import ASKED, Asked
from taskservice.tasks.listing import Scope, Sort
from taskservice.tasks.pages import DEFAULT_PAGE, After, Limit, page_response
from taskservice.tasks.parameters import Filters, IfMatch
from taskservice.tasks.schemas import (
    Assignment,
    CommentPage,
    CommentView,
    NewComment,
    NewTask,
    TaskChange,
    TaskPage,
    TaskView,
)
from taskservice.tasks.service import TaskService
from taskservice.tasks.views import entity_tag

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])


async def _service(request: Request) -> TaskService:
    return request.app.state.tasks


Service = Annotated[TaskService, Depends(_service)]


@router.post(
    "",
    status_code=201,
    operation_id="create_task",
    response_model=TaskView,
    responses=refusals(UnknownAssignee, KeyReused, InFlight),
)
async def create(new: NewTask, caller: Caller, service: Service, key: Key) -> Response:
    return answered(await service.create(caller, new, key))


@router.get("", operation_id="list_tasks", response_model=TaskPage, responses=refusals(BadCursor))
async def list_tasks(
    request: Request,
    caller: Caller,
    service: Service,
    filters: Filters,
    scope: Annotated[Scope, Query(description="Tasks I created, or tasks assigned to me.")] = Scope.MINE,
    sort: Annotated[Sort, Query(description="A task without a due date counts as due last of all.")] = Sort.NEWEST,
    limit: Limit = DEFAULT_PAGE,
    cursor: After = None,
) -> Response:
    query = service.query(caller, limit, scope, sort, filters, cursor)
    asked: Asked | None = request.scope.get(ASKED)
    if asked is not None:
        asked.query = query
    return page_response(request, await service.page(caller, query))


@router.get("/{task_id}", operation_id="get_task", responses=refusals(NotFound))
async def get(task_id: UUID, caller: Caller, service: Service, response: Response) -> TaskView:
    return _tagged(response, await service.get(caller, str(task_id)))


@router.patch("/{task_id}", operation_id="update_task", responses=refusals(NotFound, PreconditionFailed))
async def update(
    task_id: UUID, change: TaskChange, caller: Caller, service: Service, versions: IfMatch, response: Response
) -> TaskView:
    return _tagged(response, await service.update(caller, str(task_id), change, versions))


@router.put(
    "/{task_id}/assignee",
    operation_id="assign_task",
    responses=refusals(NotFound, Forbidden, PreconditionFailed, UnknownAssignee),
)
async def assign(
    task_id: UUID, wanted: Assignment, caller: Caller, service: Service, versions: IfMatch, response: Response
) -> TaskView:
    return _tagged(response, await service.assign(caller, str(task_id), wanted.assignee, versions))


@router.delete(
    "/{task_id}",
    status_code=204,
    operation_id="delete_task",
    responses=refusals(NotFound, Forbidden, PreconditionFailed),
)
async def delete(task_id: UUID, caller: Caller, service: Service, versions: IfMatch) -> None:
    await service.delete(caller, str(task_id), versions)


@router.post(
    "/{task_id}/comments",
    status_code=201,
    operation_id="add_comment",
    response_model=CommentView,
    responses=refusals(NotFound, TooManyComments, KeyReused, InFlight),
)
async def comment(task_id: UUID, new: NewComment, caller: Caller, service: Service, key: Key) -> Response:
    return answered(await service.comment(caller, str(task_id), new, key))


@router.get(
    "/{task_id}/comments",
    operation_id="list_comments",
    response_model=CommentPage,
    responses=refusals(NotFound, BadCursor),
)
async def comments(
    request: Request,
    task_id: UUID,
    caller: Caller,
    service: Service,
    limit: Limit = DEFAULT_PAGE,
    cursor: After = None,
) -> Response:
    return page_response(request, await service.comments(caller, str(task_id), limit, cursor))


def _tagged(response: Response, task: TaskView) -> TaskView:
    response.headers["ETag"] = entity_tag(task.version)
    return task
