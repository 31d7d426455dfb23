"""Changes of tasks over HTTP: preconditions, requests sent again, assignment and comments."""

from collections.abc import Callable, Collection
from typing import Any

import httpx2
import pytest

from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.tasks import service as task_service
from taskservice.tasks.directory import UserCard

pytestmark = pytest.mark.anyio

Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
def ann(bearer: Bearer) -> dict[str, str]:
    return bearer("ann")


@pytest.fixture
def bob(bearer: Bearer) -> dict[str, str]:
    return bearer("bob")


async def create(service: Any, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    response = await service.client.post("/v1/tasks", json={"title": "buy milk"} | fields, headers=headers)
    assert response.status_code == 201, response.text
    return response.json()


async def titles(service: Any, headers: dict[str, str], **params: Any) -> list[str]:
    response = await service.client.get("/v1/tasks", params=params, headers=headers)
    assert response.status_code == 200, response.text
    return [task["title"] for task in response.json()["items"]]


def problem(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"].rpartition(":")[2]


async def test_a_change_is_made_only_to_the_version_that_was_read(tasks: Any, ann: dict[str, str]) -> None:
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}"
    read = await tasks.client.get(url, headers=ann)
    assert read.headers["etag"] == '"1"'
    first = await tasks.client.patch(url, json={"title": "a"}, headers=ann | {"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    late = ann | {"If-Match": '"1"'}
    for refused in (
        await tasks.client.patch(url, json={"title": "b"}, headers=late),
        await tasks.client.put(f"{url}/assignee", json={"assignee": "bob"}, headers=late),
        await tasks.client.delete(url, headers=late),
    ):
        assert problem(refused) == (412, "precondition-failed")
    unchanged = (await tasks.client.get(url, headers=ann)).json()
    assert (unchanged["title"], unchanged["assignee"], unchanged["version"]) == ("a", None, 2)
    assert (await tasks.client.delete(url, headers=ann | {"If-Match": '"2"'})).status_code == 204


@pytest.mark.parametrize(
    ("tags", "status"),
    [("*", 200), ('"1"', 200), ('"7", "1"', 200), ('W/"1"', 412), ('"7"', 412), ("1", 412), ('"one"', 412)],
)
async def test_entity_tags_are_compared_strongly(tags: str, status: int, tasks: Any, ann: dict[str, str]) -> None:
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}"
    response = await tasks.client.patch(url, json={"title": "a"}, headers=ann | {"If-Match": tags})
    assert response.status_code == status


async def test_a_change_to_what_is_already_so_is_none(tasks: Any, ann: dict[str, str]) -> None:
    task = await create(tasks, ann, labels=["Home", "home"])
    assert task["labels"] == ["home"]
    response = await tasks.client.patch(f"/v1/tasks/{task['id']}", json={"title": "buy milk"}, headers=ann)
    assert response.json() == task


async def test_a_request_sent_again_creates_once(tasks: Any, ann: dict[str, str], bob: dict[str, str]) -> None:
    async def post(caller: dict[str, str], title: str = "once") -> httpx2.Response:
        return await tasks.client.post("/v1/tasks", json={"title": title}, headers=caller | {"Idempotency-Key": "k"})

    first, again, other = await post(ann), await post(ann), await post(bob)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert [again.headers[name] for name in ("location", "etag")] == [first.headers["location"], '"1"']
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert other.json()["id"] != first.json()["id"]  # a key belongs to its caller
    assert problem(await post(ann, "twice")) == (422, "idempotency-key-reused")
    assert await titles(tasks, ann) == ["once"]


async def test_a_comment_sent_again_is_one_comment(tasks: Any, ann: dict[str, str]) -> None:
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}/comments"
    headers = ann | {"Idempotency-Key": "k"}
    first, again = [await tasks.client.post(url, json={"text": "x"}, headers=headers) for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    assert len((await tasks.client.get(url, headers=ann)).json()["items"]) == 1


@pytest.mark.parametrize("given", ["", "x" * 256, "with space", "tab\t"])
async def test_an_odd_key_is_refused(given: str, tasks: Any, ann: dict[str, str]) -> None:
    response = await tasks.client.post("/v1/tasks", json={"title": "a"}, headers=ann | {"Idempotency-Key": given})
    assert response.status_code == 422


async def test_an_assigned_task_is_in_the_list_of_its_assignee(
    tasks: Any, ann: dict[str, str], bob: dict[str, str]
) -> None:
    task = await create(tasks, ann)
    assert await titles(tasks, bob, scope="assigned") == []
    url = f"/v1/tasks/{task['id']}"
    assert (await tasks.client.get(url, headers=bob)).status_code == 404
    assigned = await tasks.client.put(f"{url}/assignee", json={"assignee": "bob"}, headers=ann)
    assert (assigned.json()["assignee"], assigned.headers["etag"]) == ("bob", '"2"')
    assert await titles(tasks, bob, scope="assigned") == ["buy milk"]
    assert await titles(tasks, bob) == []
    assert await titles(tasks, ann, assignee="bob") == ["buy milk"]
    # He may work on it and give it back, but neither pass it on nor delete it.
    assert (await tasks.client.patch(url, json={"status": "done"}, headers=bob)).status_code == 200
    passed_on = await tasks.client.put(f"{url}/assignee", json={"assignee": "carl"}, headers=bob)
    assert problem(passed_on) == (403, "forbidden")
    assert problem(await tasks.client.delete(url, headers=bob)) == (403, "forbidden")
    assert (await tasks.client.put(f"{url}/assignee", json={"assignee": None}, headers=bob)).status_code == 200
    assert (await tasks.client.get(url, headers=bob)).status_code == 404
    assert await titles(tasks, ann, assignee="none") == ["buy milk"]


async def test_an_assignee_is_somebody_that_auth_knows(tasks: Any, ann: dict[str, str]) -> None:
    response = await tasks.client.post("/v1/tasks", json={"title": "a", "assignee": "nobody"}, headers=ann)
    assert problem(response) == (422, "unknown-assignee")
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}/assignee"
    assert problem(await tasks.client.put(url, json={"assignee": "nobody"}, headers=ann)) == (422, "unknown-assignee")
    assert await titles(tasks, ann) == ["buy milk"]


async def test_while_nobody_can_tell_only_oneself_can_be_assigned(
    run_tasks: Callable[..., Any], ann: dict[str, str]
) -> None:
    class Away:
        async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
            raise Unavailable

    async with run_tasks(directory=Away()) as tasks:
        refused = await tasks.client.post("/v1/tasks", json={"title": "a", "assignee": "bob"}, headers=ann)
        assert refused.status_code == 503
        assert (await create(tasks, ann, assignee="ann"))["assignee"] == "ann"


async def test_comments_are_read_oldest_first_page_by_page(
    tasks: Any, ann: dict[str, str], bob: dict[str, str]
) -> None:
    url = f"/v1/tasks/{(await create(tasks, ann, assignee='bob'))['id']}/comments"
    made = [
        (await tasks.client.post(url, json={"text": f"{n}"}, headers=author)).json()
        for n, author in enumerate((ann, bob, ann, bob, ann))
    ]
    assert [comment["author"] for comment in made] == ["ann", "bob", "ann", "bob", "ann"]
    found: list[dict[str, Any]] = []
    following: str | None = f"{url}?limit=2"
    while following:
        page = await tasks.client.get(following, headers=bob)
        found += page.json()["items"]
        following = page.links["next"]["url"] if "next" in page.links else None
        assert (following is None) == (page.json()["next"] is None)
    assert found == sorted(made, key=lambda comment: comment["id"])


async def test_the_comments_of_a_task_are_those_of_who_may_read_it(
    tasks: Any, ann: dict[str, str], bearer: Any
) -> None:
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}/comments"
    stranger = bearer("carl")
    for hidden in (url, f"/v1/tasks/{new_id()}/comments"):
        assert problem(await tasks.client.get(hidden, headers=stranger)) == (404, "not-found")
        assert problem(await tasks.client.post(hidden, json={"text": "x"}, headers=stranger)) == (404, "not-found")


async def test_the_cursor_of_one_list_is_none_of_another(tasks: Any, ann: dict[str, str]) -> None:
    urls = [f"/v1/tasks/{(await create(tasks, ann))['id']}/comments" for _ in range(2)]
    for url in urls:
        for _ in range(2):
            await tasks.client.post(url, json={"text": "x"}, headers=ann)
    cursor = (await tasks.client.get(urls[0], params={"limit": 1}, headers=ann)).json()["next"]
    assert (await tasks.client.get(urls[0], params={"cursor": cursor}, headers=ann)).status_code == 200
    for other in (urls[1], "/v1/tasks"):
        refused = await tasks.client.get(other, params={"cursor": cursor}, headers=ann)
        assert problem(refused) == (400, "bad-cursor")


async def test_a_task_has_only_so_many_comments(
    tasks: Any, ann: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_service, "MAX_COMMENTS", 2)
    url = f"/v1/tasks/{(await create(tasks, ann))['id']}/comments"
    answers = [await tasks.client.post(url, json={"text": "x"}, headers=ann) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert problem(answers[2]) == (409, "too-many-comments")


async def test_a_list_is_ordered_and_filtered_as_asked(tasks: Any, ann: dict[str, str]) -> None:
    await create(tasks, ann, title="Beta", due_at="2027-01-02T00:00:00Z", labels=["x"])
    await create(tasks, ann, title="alpha", due_at="2027-01-03T00:00:00+01:00", priority="high")
    await create(tasks, ann, title="Gamma", status="done", labels=["x", "y"])
    assert await titles(tasks, ann, sort="title") == ["alpha", "Beta", "Gamma"]
    assert await titles(tasks, ann, sort="-title") == ["Gamma", "Beta", "alpha"]
    assert await titles(tasks, ann, sort="due") == ["Beta", "alpha", "Gamma"]
    assert await titles(tasks, ann, sort="title", label="X") == ["Beta", "Gamma"]
    assert await titles(tasks, ann, sort="title", label="x", status="todo") == ["Beta"]
    assert await titles(tasks, ann, title_prefix="BE") == ["Beta"]
    assert await titles(tasks, ann, due_before="2027-01-02T12:00:00Z") == ["Beta"]
    assert await titles(tasks, ann, due_from="2027-01-02T12:00:00Z") == ["alpha"]
