"""What the OpenAPI documents say beyond the routes themselves: refusals as problem documents, and what the shell adds.

A route names the problems it can answer with (`responses=refusals(NotFound, …)`); the rest follows from its shape:
401 where a token is asked for, 400, 413 and 422 where something is sent, 503 everywhere. The documents are committed in
`service/openapi/` and compared with the code by `ci/checks/openapi_drift.py`.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from taskservice.kit.errors import PayloadTooLarge, Problem, Unavailable
from taskservice.kit.jwt import Unauthenticated
from taskservice.kit.problems import MEDIA_TYPE, body

METHODS = frozenset({"get", "put", "post", "delete", "patch"})
PROBLEM = "Problem"
REFERENCE = {"$ref": f"#/components/schemas/{PROBLEM}"}


class FieldError(BaseModel):
    """One thing that is wrong with a request; `field` is its place, `body.title` for example."""

    field: str
    message: str
    code: str


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457). `type` is stable and made for programs, the rest is for people."""

    model_config = ConfigDict(title=PROBLEM)

    type: str = Field(examples=["urn:taskservice:problem:not-found"])
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


def refusals(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems; those of one status become examples of it."""
    responses: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        entry = responses.setdefault(problem.status, _response())
        _examples(entry)[problem.code] = {"value": body(problem.status, problem.code, problem.title)}
        _describe(entry)
    return responses


def install(app: FastAPI) -> None:
    """Makes the app's document complete; it is built once, when first asked for."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        built = app.openapi_schema is not None
        document = plain()
        if not built:
            _complete(document)
        return document

    app.openapi = complete


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs")
    schemas[PROBLEM] = schema
    for operation in _operations(document):
        declared: dict[str, Any] = operation["responses"]
        declared.pop("422", None)
        for status, response in refusals(*_from_shape(operation)).items():
            entry = declared.setdefault(str(status), response)
            _examples(entry).update(_examples(response))
            _describe(entry)
        operation["responses"] = dict(sorted(declared.items()))


class _Unreadable(Problem):
    """What the framework answers to bytes that are no text."""

    status, code, title = 400, "bad-request", "Bad Request"


class _Invalid(Problem):
    status, code, title = 422, "invalid", "The request is not valid"


def _from_shape(operation: dict[str, Any]) -> Iterator[type[Problem]]:
    if operation.get("security"):
        yield Unauthenticated
    if "requestBody" in operation:
        yield _Unreadable
        yield PayloadTooLarge
    if "requestBody" in operation or operation.get("parameters"):
        yield _Invalid
    yield Unavailable


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                yield operation


def _response() -> dict[str, Any]:
    return {"description": "", "content": {MEDIA_TYPE: {"schema": REFERENCE, "examples": {}}}}


def _examples(response: dict[str, Any]) -> dict[str, Any]:
    return response["content"][MEDIA_TYPE]["examples"]


def _describe(response: dict[str, Any]) -> None:
    response["description"] = "; ".join(example["value"]["title"] for example in _examples(response).values())
