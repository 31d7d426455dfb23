"""Tasks over HTTP: what the owner can do, and what nobody else can."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from taskservice.kit.ids import new_id

pytestmark = pytest.mark.anyio

Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
def ann(bearer: Bearer) -> dict[str, str]:
    return bearer("ann")


async def create(service: Any, headers: dict[str, str], **fields: Any) -> httpx2.Response:
    return await service.client.post("/v1/tasks", json={"title": "buy milk"} | fields, headers=headers)


async def listed(service: Any, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    response = await service.client.get("/v1/tasks", params=params, headers=headers)
    assert response.status_code == 200
    return response.json()


async def test_a_created_task_is_read_back(tasks: Any, ann: dict[str, str]) -> None:
    response = await create(tasks, ann, description="two\nbottles")
    assert response.status_code == 201
    task = response.json()
    assert (task["status"], task["created_by"], task["version"]) == ("todo", "ann", 1)
    again = await tasks.client.get(response.headers["location"], headers=ann)
    assert again.json() == task


async def test_a_list_is_newest_first_and_pages_to_the_end(tasks: Any, ann: dict[str, str]) -> None:
    ids = [(await create(tasks, ann, title=f"{n}")).json()["id"] for n in range(7)]
    ids.sort(reverse=True)  # several in one millisecond sort by their noise
    found: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    while True:
        page = await listed(tasks, ann, **params)
        found += [task["id"] for task in page["items"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert found == ids


async def test_a_full_last_page_has_no_next(tasks: Any, ann: dict[str, str]) -> None:
    for _ in range(3):
        await create(tasks, ann)
    assert (await listed(tasks, ann, limit=3))["next"] is None
    assert (await listed(tasks, ann, limit=2))["next"] is not None


async def test_the_status_filter(tasks: Any, ann: dict[str, str]) -> None:
    await create(tasks, ann)
    done = (await create(tasks, ann, status="done")).json()
    assert (await listed(tasks, ann, status="done"))["items"] == [done]


async def test_an_update_changes_what_it_names(tasks: Any, ann: dict[str, str]) -> None:
    task = (await create(tasks, ann, description="keep")).json()
    response = await tasks.client.patch(f"/v1/tasks/{task['id']}", json={"status": "done"}, headers=ann)
    assert response.status_code == 200
    changed = response.json()
    assert (changed["status"], changed["description"], changed["version"]) == ("done", "keep", 2)
    assert changed["created_at"] == task["created_at"]
    for body in ({}, {"status": None}, {"version": 7}, {"created_by": "bob"}, {"$set": {}}):
        response = await tasks.client.patch(f"/v1/tasks/{task['id']}", json=body, headers=ann)
        assert response.status_code == 422, body


async def test_a_deleted_task_is_gone(tasks: Any, ann: dict[str, str]) -> None:
    task = (await create(tasks, ann)).json()
    first = await tasks.client.delete(f"/v1/tasks/{task['id']}", headers=ann)
    assert (first.status_code, first.content) == (204, b"")
    assert (await tasks.client.delete(f"/v1/tasks/{task['id']}", headers=ann)).status_code == 404
    assert (await listed(tasks, ann))["items"] == []


async def test_a_stranger_sees_what_he_would_see_of_nothing(tasks: Any, ann: dict[str, str], bearer: Bearer) -> None:
    task = (await create(tasks, ann)).json()
    bob = bearer("bob")
    for task_id in (task["id"], new_id()):
        url = f"/v1/tasks/{task_id}"
        answers = [
            await tasks.client.get(url, headers=bob),
            await tasks.client.patch(url, json={"title": "mine"}, headers=bob),
            await tasks.client.delete(url, headers=bob),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.text for answer in answers}) == 1
    assert (await listed(tasks, bob))["items"] == []
    assert (await listed(tasks, ann))["items"] == [task]


async def test_no_token_no_answer(tasks: Any) -> None:
    url = f"/v1/tasks/{new_id()}"
    for method, path in (
        ("GET", "/v1/tasks"),
        ("POST", "/v1/tasks"),
        ("GET", url),
        ("PATCH", url),
        ("DELETE", url),
    ):
        response = await tasks.client.request(method, path)
        assert response.status_code == 401, (method, path)
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "   "},
        {"title": "x" * 201},
        {"title": "a\x00b"},
        {"title": 7},
        {"title": None},
        {"description": "x" * 4001},
        {"description": "\x00"},
        {"status": "blocked"},
        {"id": "mine"},
        {"created_by": "bob"},
    ],
    ids=str,
)
async def test_invalid_tasks_are_refused(fields: dict[str, Any], tasks: Any, ann: dict[str, str]) -> None:
    response = await create(tasks, ann, **fields)
    assert response.status_code == 422
    (name,) = fields
    assert response.json()["errors"][0]["field"] == f"body.{name}"


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"limit": 0}, 422),
        ({"limit": 101}, 422),
        ({"limit": "9" * 5000}, 422),
        ({"limit": "x"}, 422),
        ({"status": "all"}, 422),
        ({"status[$ne]": "done"}, 200),
        ({"cursor": "AAAA"}, 400),
        ({"cursor": "x" * 2049}, 422),
    ],
    ids=str,
)
async def test_invalid_queries_are_refused(
    params: dict[str, Any], status: int, tasks: Any, ann: dict[str, str]
) -> None:
    response = await tasks.client.get("/v1/tasks", params=params, headers=ann)
    assert response.status_code == status


async def test_unicode_survives(tasks: Any, ann: dict[str, str]) -> None:
    title = "日本語 👩\u200d🚀 ß \u202e"
    assert (await create(tasks, ann, title=title)).json()["title"] == title
    assert (await listed(tasks, ann))["items"][0]["title"] == title
