"""Every refusal as application/problem+json (RFC 9457), from one exception family.

`type` is `urn:taskservice:problem:<code>`; codes are stable, each is a subclass of `kit.errors.Problem`. An
exception that is no `Problem` is our fault: 500, logged with its stack, and nothing of it in the answer.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from taskservice.kit.errors import Problem

MEDIA_TYPE = "application/problem+json"


def body(status: int, code: str, title: str, detail: str | None = None, **extra: Any) -> dict[str, Any]:
    """The members of a problem document."""
    document: dict[str, Any] = {"type": f"urn:taskservice:problem:{code}", "title": title, "status": status}
    if detail:
        document["detail"] = detail
    return document | extra


def response(problem: Problem) -> JSONResponse:
    """The answer to a `Problem`."""
    content = body(problem.status, problem.code, problem.title, problem.detail)
    return JSONResponse(content, problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every refusal of the app a problem document, the framework's own (404, 405, 422) included."""

    async def on_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - registered for this class
        return response(error)

    async def on_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "-")
        detail = error.detail if error.detail != phrase else None
        return JSONResponse(body(error.status_code, code, phrase, detail), error.status_code, error.headers, MEDIA_TYPE)

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        content = body(422, "invalid", "The request is not valid", errors=_items(error.errors()))
        return JSONResponse(content, 422, media_type=MEDIA_TYPE)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)


def _items(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Field, message and code of each error; never the value, which may be a password."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"]),
            "message": error["msg"],
            "code": error["type"],
        }
        for error in errors
    ]
