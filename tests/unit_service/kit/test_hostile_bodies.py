"""Bodies that are made to hurt are refused with a sentence, never with a stack trace or a long silence."""

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

DEEP = 30_000
HOSTILE = {
    "deep lists": "[" * DEEP,
    "deep lists, closed": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"title":' * 6000 + "1" + "}" * 6000,
    "a long number": '{"title": ' + "9" * 60_000 + "}",
    "an exponent": '{"title": 1e999999}',
    "not a number": '{"title": NaN}',
    "half a surrogate": '{"title": "\\ud800"}',
    "a null character": '{"title": "a\\u0000b"}',
    "the same member often": "{" + ",".join('"title": 1' for _ in range(4000)) + "}",
    "nothing": "",
    "a bare text": '"title"',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_body_is_refused(name: str, tasks: Any, bearer: Callable[[str], dict[str, str]]) -> None:
    headers = bearer("ann") | {"Content-Type": "application/json"}
    answer = await tasks.client.post("/v1/tasks", content=HOSTILE[name], headers=headers)
    assert answer.status_code in {400, 422}, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 4096


OPERATORS = [{"$ne": None}, {"$gt": ""}, {"$where": "sleep(1000)"}, {"$regex": ".*"}, ["a"], {"a.b": 1}]


@pytest.mark.parametrize("shape", OPERATORS, ids=json.dumps)
async def test_a_query_operator_is_no_value(
    shape: Any, auth: Any, tasks: Any, bearer: Callable[[str], dict[str, str]]
) -> None:
    for body in ({"email": shape, "password": "x" * 12}, {"email": "ann@example.com", "password": shape}):
        for path in ("/v1/auth/login", "/v1/auth/register"):
            assert (await auth.client.post(path, json=body)).status_code == 422
    for member in ("title", "description", "status"):
        answer = await tasks.client.post("/v1/tasks", json={"title": "t", member: shape}, headers=bearer("ann"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(f"body.{member}")


@pytest.mark.parametrize("query", ["status[$ne]=todo", "limit[$gt]=1", "cursor[$ne]=x"])
async def test_an_operator_in_the_query_finds_nothing_more(
    query: str, tasks: Any, bearer: Callable[[str], dict[str, str]]
) -> None:
    await tasks.client.post("/v1/tasks", json={"title": "ben's"}, headers=bearer("ben"))
    answer = await tasks.client.get(f"/v1/tasks?{query}", headers=bearer("ann"))
    assert answer.status_code in {200, 422}
    assert "ben's" not in answer.text
