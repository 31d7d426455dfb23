"""What a client reads in the document is what it will meet."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from taskservice.auth.app import create_app as create_auth
from taskservice.kit.app import Runtime
from taskservice.kit.errors import NotFound, Problem
from taskservice.kit.openapi import MEDIA_TYPE, refusals
from taskservice.tasks.app import create_app as create_tasks


class Gone(Problem):
    status, code, title = 404, "gone", "It was here"


@pytest.fixture(params=["auth", "tasks"])
def document(request: pytest.FixtureRequest, auth_settings: Any, tasks_settings: Any) -> dict[str, Any]:
    app: FastAPI
    if request.param == "auth":
        settings = auth_settings()
        app = create_auth(settings, Runtime.of("auth", settings))
    else:
        settings = tasks_settings()
        app = create_tasks(settings, Runtime.of("tasks", settings))
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def test_problems_of_one_status_are_examples_of_one_response() -> None:
    responses = refusals(NotFound, Gone)
    assert list(responses) == [404]
    assert responses[404]["description"] == "There is no such resource; It was here"
    assert set(responses[404]["content"][MEDIA_TYPE]["examples"]) == {"not-found", "gone"}


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == [MEDIA_TYPE], operation["operationId"]
                assert response["description"]


def test_a_route_that_asks_for_a_token_says_401_and_no_other_does(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert ("security" in operation) <= ("401" in operation["responses"]), operation["operationId"]


def test_a_route_that_takes_a_body_says_413_and_422(document: dict[str, Any]) -> None:
    for operation in operations(document):
        if "requestBody" in operation:
            assert {"413", "422"} <= set(operation["responses"]), operation["operationId"]


def test_the_framework_s_own_error_schemas_are_gone(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))


def test_asking_twice_changes_nothing(auth_settings: Any) -> None:
    settings = auth_settings()
    app = create_auth(settings, Runtime.of("auth", settings))
    first = str(app.openapi())
    assert str(app.openapi()) == first
