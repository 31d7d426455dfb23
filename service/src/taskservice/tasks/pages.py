"""Pages over HTTP: the parameters that ask for one, and the answer that holds one."""

from typing import Annotated

from fastapi import Query, Request, Response

from taskservice.tasks.schemas import CursorText, PageSize
from taskservice.tasks.views import Page

DEFAULT_PAGE = 20

Limit = Annotated[PageSize, Query()]
After = Annotated[CursorText | None, Query(description="`next` of the page before, with the same parameters.")]


def page_response(request: Request, page: Page) -> Response:
    """A page sent as it was cached: parsing and serialising it again would cost more than the look-up."""
    response = Response(page.body, media_type="application/json")
    if page.next is not None:
        # Relative, because only the caller knows under which name the gateway was reached.
        url = request.url.include_query_params(cursor=page.next)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return response
