"""A query string seen before is answered as it was the first time, to whoever may ask, and to nobody else."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from taskservice.tasks import list_lane
from taskservice.tasks.cache import NullListCache

pytestmark = pytest.mark.anyio

Bearer = Callable[[str], dict[str, str]]


async def ask(service: Any, headers: dict[str, str], query: str) -> httpx2.Response:
    return await service.client.get(f"/v1/tasks?{query}", headers=headers)


async def create(service: Any, headers: dict[str, str], title: str, **fields: Any) -> dict[str, Any]:
    answer = await service.client.post("/v1/tasks", json={"title": title, **fields}, headers=headers)
    assert answer.status_code == 201
    return answer.json()


def titles(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def test_one_query_string_means_to_each_caller_his_own(tasks: Any, bearer: Bearer) -> None:
    ann, bob = bearer("ann"), bearer("bob")
    await create(tasks, ann, "of ann", assignee="bob")
    await create(tasks, bob, "of bob", assignee="bob")
    for _ in range(3):
        assert titles(await ask(tasks, ann, "limit=5")) == ["of ann"]
        assert titles(await ask(tasks, bob, "limit=5")) == ["of bob"]
        assert titles(await ask(tasks, bob, "assignee=me")) == ["of bob"]
        assert titles(await ask(tasks, ann, "assignee=me")) == []


async def test_what_is_remembered_is_the_question_and_not_the_answer(tasks: Any, bearer: Bearer) -> None:
    ann = bearer("ann")
    assert titles(await ask(tasks, ann, "sort=title")) == []
    await create(tasks, ann, "b")
    assert titles(await ask(tasks, ann, "sort=title")) == ["b"]
    await create(tasks, ann, "a")
    assert titles(await ask(tasks, ann, "sort=title")) == ["a", "b"]


async def test_a_page_asked_for_twice_names_the_same_next_page_in_its_link(tasks: Any, bearer: Bearer) -> None:
    ann = bearer("ann")
    for number in range(5):
        await create(tasks, ann, str(number))
    first, second = [await ask(tasks, ann, "limit=2&sort=title") for _ in range(2)]
    assert first.headers["link"] == second.headers["link"]
    following = [await tasks.client.get(first.links["next"]["url"], headers=ann) for _ in range(2)]
    assert titles(following[0]) == titles(following[1]) == ["2", "3"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer forged"}])
async def test_who_may_not_ask_is_refused_a_question_that_is_known(
    headers: dict[str, str], tasks: Any, bearer: Bearer
) -> None:
    assert (await ask(tasks, bearer("ann"), "limit=5")).status_code == 200
    assert (await ask(tasks, headers, "limit=5")).status_code == 401


async def test_a_question_that_is_not_valid_is_never_remembered(tasks: Any, bearer: Bearer) -> None:
    for _ in range(3):
        answer = await ask(tasks, bearer("ann"), "limit=0")
        assert answer.status_code == 422
        answer = await ask(tasks, bearer("ann"), "cursor=AAAA")
        assert answer.json()["type"] == "urn:taskservice:problem:bad-cursor"


async def test_only_so_many_questions_are_remembered(
    tasks: Any, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_lane, "MOST_REMEMBERED", 2)
    ann = bearer("ann")
    await create(tasks, ann, "one")
    for _ in range(2):
        for query in ("limit=1", "limit=2", "limit=3", "label=" + "x" * 30, "title_prefix=" + "o" * 1):
            expected = [] if "label" in query else ["one"]
            assert titles(await ask(tasks, ann, query)) == expected


async def test_two_tokens_are_no_short_way(tasks: Any, bearer: Bearer) -> None:
    ann, bob = bearer("ann"), bearer("bob")
    await create(tasks, ann, "of ann")
    both = [("Authorization", one["Authorization"]) for one in (ann, bob)]
    for _ in range(2):
        answer = await tasks.client.get("/v1/tasks?limit=7", headers=both)
        assert titles(answer) == ["of ann"]


async def test_the_short_way_is_counted_and_decorated_as_the_long_one(tasks: Any, bearer: Bearer) -> None:
    answers = [await ask(tasks, bearer("ann"), "limit=3") for _ in range(3)]
    assert {answer.headers["x-taskservice-revision"] for answer in answers} == {"r1"}
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    registry = tasks.runtime.metrics.registry
    labels = {"http_request_method": "GET", "http_route": "/v1/tasks", "http_response_status_code": "200"}
    name = "http_server_request_duration_seconds_count"
    assert registry.get_sample_value(name, labels | {"revision": "r1"}) == 3


async def test_who_has_logged_out_is_refused_a_question_that_is_known(tasks: Any, bearer: Bearer) -> None:
    ann, bob = bearer("ann"), bearer("bob")
    for _ in range(2):
        assert (await ask(tasks, ann, "limit=5")).status_code == 200
        assert (await ask(tasks, bob, "limit=5")).status_code == 200
    authenticator = tasks.app.state.authenticator
    ended = await authenticator.verifier.verify(ann["Authorization"].removeprefix("Bearer "))
    await authenticator.denylist.add([ended.session_id], datetime.now(UTC))
    refused = await ask(tasks, ann, "limit=5")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await ask(tasks, bob, "limit=5")).status_code == 200


async def test_a_page_is_asked_for_before_it_is_known_whether_the_session_has_ended(
    run_tasks: Callable[..., Any], bearer: Bearer
) -> None:
    """So that one round trip tells both; and what was sought is what is answered."""
    told: list[str] = []

    class Cache(NullListCache):
        def seek(self, user: str, query: str) -> Any:
            told.append(f"sought {user}")
            return asyncio.sleep(0, "sought")

        async def through(self, user: str, query: str, read: Any, sought: Any = None) -> bytes:
            told.append("answered" if sought is not None and await sought == "sought" else "read")
            return await read()

    async with run_tasks(cache=Cache()) as service:
        denylist = service.app.state.authenticator.denylist
        refuses = denylist.refuses

        async def watched(session_id: str) -> bool:
            told.append("admitted")
            return await refuses(session_id)

        denylist.refuses = watched
        for _ in range(2):
            assert titles(await ask(service, bearer("ann"), "limit=5")) == []
    assert told == ["admitted", "read", "sought ann", "admitted", "answered"]
