"""Pages over HTTP: the parameters that ask for one, and the answer that holds one."""

from typing import Annotated

from fastapi import Query, Request, Response
from starlette.datastructures import URL
from starlette.types import Scope, Send

from taskservice.tasks.schemas import CursorText, PageSize
from taskservice.tasks.views import Page

DEFAULT_PAGE = 20
JSON = "application/json"
JSON_HEADER = (b"content-type", JSON.encode())

Limit = Annotated[PageSize, Query()]
After = Annotated[CursorText | None, Query(description="`next` of the page before, with the same parameters.")]


def page_response(request: Request, page: Page) -> Response:
    """A page sent as it was cached: parsing and serialising it again would cost more than the look-up."""
    response = Response(page.body, media_type=JSON)
    if page.next is not None:
        response.headers["Link"] = _link(request.url, page.next)
    return response


async def send_page(scope: Scope, send: Send, page: Page) -> None:
    """The same answer, for whoever has a scope and no request."""
    headers = [(b"content-length", b"%d" % len(page.body)), JSON_HEADER]
    if page.next is not None:
        headers.append((b"link", _link(URL(scope=scope), page.next).encode("latin-1")))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page.body})


def _link(asked: URL, cursor: str) -> str:
    # Relative, because only the caller knows under which name the gateway was reached.
    url = asked.include_query_params(cursor=cursor)
    return f'<{url.path}?{url.query}>; rel="next"'
