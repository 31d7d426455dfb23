"""The short way to a list that was asked for before: past FastAPI, which would validate nine parameters again.

Clients ask for the same page again and again, and finding the endpoint and validating its parameters costs more than
all the rest of a list that comes from the cache. What a query string means depends on nothing but the caller, so it may
be kept as long as there is room. Whether the caller may ask is found out every time, by the same authenticator, and
the answer comes from the same service; what both ask of Redis is asked at once.
"""

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace

from starlette.types import ASGIApp, Receive, Scope, Send

from taskservice.kit import trace_context
from taskservice.kit.bearer import CALLER, Authenticator, shown_token
from taskservice.tasks.listing import Query
from taskservice.tasks.pages import send_page
from taskservice.tasks.service import TaskService

PATH = "/v1/tasks"
ASKED = "taskservice.asked"
MOST_REMEMBERED = 10_000
LONGEST_REMEMBERED = 512
"""Bytes of a query string."""


@dataclass
class Asked:
    """What a request for a list turned out to mean: the endpoint says it here, in `request.scope[ASKED]`."""

    query: Query | None = None


class ListLane:
    """ASGI middleware around the app, inside of the edge, which turns what is raised here into an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._known: OrderedDict[tuple[str, bytes], Query] = OrderedDict()
        # For metrics, which count by the route's template.
        self._route = SimpleNamespace(path=PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope.get("path") == PATH and scope.get("method") == "GET"
        # A sampled request goes the long way: FastAPI names its span.
        token = shown_token(scope) if ours and not trace_context.recording() else None
        await (self._app(scope, receive, send) if token is None else self._listed(token, scope, receive, send))

    async def _listed(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self._route
        state = scope["app"].state
        authenticator: Authenticator = state.authenticator
        caller = scope[CALLER] = await authenticator.verifier.verify(token)
        key = (caller.user_id, scope["query_string"])
        query = self._known.get(key)
        if query is not None:
            self._known.move_to_end(key)
            service: TaskService = state.tasks
            # Asked for before it is known whether the session has ended, so that one round trip tells both.
            sought = service.seek(caller, query)
            await authenticator.admit(caller)
            return await send_page(scope, send, await service.page(caller, query, sought))
        await authenticator.admit(caller)
        asked = scope[ASKED] = Asked()
        await self._app(scope, receive, send)
        if asked.query is not None and len(key[1]) <= LONGEST_REMEMBERED:
            self._remember(key, asked.query)
        return None

    def _remember(self, key: tuple[str, bytes], query: Query) -> None:
        self._known[key] = query
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
