"""The route of the task list. It remembers what a caller's query string means.

Clients ask for the same page again and again, and validating nine parameters costs more than all the rest of a list
that comes from the cache. What a query string means depends on nothing but the caller, so it may be kept as long as
there is room. Whether the caller may ask is found out every time.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from taskservice.kit.bearer import caller_of
from taskservice.tasks.listing import Query
from taskservice.tasks.pages import page_response
from taskservice.tasks.service import TaskService

QUERY = "taskservice.query"
MOST_REMEMBERED = 10_000
LONGEST_REMEMBERED = 512
"""Characters of a query string."""


class ListRoute(APIRoute):
    """An endpoint that puts its Query into `request.scope[QUERY]`; seen again, that is answered without it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        validated = super().get_route_handler()
        known: OrderedDict[tuple[str, bytes], Query] = OrderedDict()

        async def handle(request: Request) -> Response:
            caller = await caller_of(request)
            if caller is None:
                return await validated(request)
            text: bytes = request.scope["query_string"]
            query = known.get((caller.user_id, text))
            if query is not None:
                known.move_to_end((caller.user_id, text))
                service: TaskService = request.app.state.tasks
                return page_response(request, await service.page(caller, query))
            answer = await validated(request)
            found: Query | None = request.scope.get(QUERY)
            if found is not None and len(text) <= LONGEST_REMEMBERED:
                known[caller.user_id, text] = found
                if len(known) > MOST_REMEMBERED:
                    known.popitem(last=False)
            return answer

        return handle
