"""The endpoint parameter for requests that may be sent again: `key: Key`, then `return answered(…)`."""

from typing import Annotated

from fastapi import Depends, Header, Request, Response

from taskservice.kit.bearer import Caller
from taskservice.kit.idempotency import Answer, RequestKey


async def _key(
    request: Request,
    caller: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[!-~]+$",
            description="Of your choice, one per intention: the request sent again with it within 24 hours gets the"
            " same answer and changes nothing more.",
        ),
    ] = None,
) -> RequestKey | None:
    if idempotency_key is None:
        return None
    return RequestKey.of(caller.user_id, idempotency_key, request.method, request.url.path, await request.body())


Key = Annotated[RequestKey | None, Depends(_key)]


def answered(answer: Answer) -> Response:
    """The answer as a response; one that was kept says so."""
    replayed = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, answer.status, {**answer.headers, **replayed}, "application/json")
