"""HTTP in and out for the activity; decides nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from taskservice.kit.bearer import Caller
from taskservice.kit.errors import NotFound
from taskservice.kit.openapi import refusals
from taskservice.tasks.activity import Activity
from taskservice.tasks.errors import BadCursor
from taskservice.tasks.pages import DEFAULT_PAGE, After, Limit, page_response
from taskservice.tasks.schemas import ActivityPage

router = APIRouter(tags=["activity"])


async def _activity(request: Request) -> Activity:
    return request.app.state.activity


Reading = Annotated[Activity, Depends(_activity)]


@router.get(
    "/v1/tasks/{task_id}/activity",
    operation_id="list_task_activity",
    response_model=ActivityPage,
    responses=refusals(NotFound, BadCursor),
)
async def list_task_activity(
    request: Request,
    task_id: UUID,
    caller: Caller,
    activity: Reading,
    limit: Limit = DEFAULT_PAGE,
    cursor: After = None,
) -> Response:
    """What happened to a task, latest first, for who may read the task."""
    return page_response(request, await activity.of_task(caller, str(task_id), limit, cursor))


@router.get("/v1/activity", operation_id="list_activity", response_model=ActivityPage, responses=refusals(BadCursor))
async def list_activity(
    request: Request, caller: Caller, activity: Reading, limit: Limit = DEFAULT_PAGE, cursor: After = None
) -> Response:
    """What happened, newest first, to tasks that were mine or assigned to me at the time, and what I did myself."""
    return page_response(request, await activity.feed(caller, limit, cursor))
