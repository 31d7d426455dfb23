"""Answers of the API server and the errors that they mean."""

from __future__ import annotations

import pytest

from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.errors import Conflict, Forbidden, Invalid, NotFound, Transient
from taskservice_operator.cluster.kube import error_of


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Transient),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (422, Invalid),
        (429, Transient),
        (500, Transient),
        (503, Transient),
    ],
)
def test_each_status_is_one_way_to_go_on(status: int, kind: type[Exception]) -> None:
    error = error_of(status, {"message": "because"}, {}, "GET /x")
    assert type(error) is kind
    assert error.message == "because"


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    error = error_of(429, {}, {"Retry-After": "3"}, "GET /x")
    assert isinstance(error, Transient)
    assert error.retry_after == 3


def test_a_field_that_a_kind_does_not_have_is_invalid_although_the_server_says_500() -> None:
    error = error_of(500, {"message": "failed to create typed patch object: field not declared"}, {}, "PATCH /x")
    assert isinstance(error, Invalid)


def test_paths_name_collection_object_and_subresource() -> None:
    assert kinds.SERVICE.path(None) == "/api/v1/services"
    assert kinds.SERVICE.path("ns", "a") == "/api/v1/namespaces/ns/services/a"
    status = kinds.TASKSERVICE.path("ns", "a", "status")
    assert status == "/apis/taskservice.dev/v1alpha1/namespaces/ns/taskservices/a/status"
