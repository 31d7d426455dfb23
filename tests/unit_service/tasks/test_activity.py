"""What happened, over HTTP: who may read it, in which order, and page by page."""

from collections.abc import Callable
from typing import Any

import pytest

from taskservice.activity.repository import MemoryActivity
from taskservice.kit.ids import new_id
from testkit.tasks import an_entry

pytestmark = pytest.mark.anyio

Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def log() -> MemoryActivity:
    return MemoryActivity()


@pytest.fixture
async def service(run_tasks: Callable[..., Any], log: MemoryActivity) -> Any:
    async with run_tasks(activity=log) as service:
        yield service


async def a_task_of_ann_for_bob(service: Any, bearer: Bearer) -> str:
    body = {"title": "Buy milk", "assignee": "bob"}
    answer = await service.client.post("/v1/tasks", json=body, headers=bearer("ann"))
    assert answer.status_code == 201
    return answer.json()["id"]


async def read(service: Any, path: str, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    answer = await service.client.get(path, params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read_all(service: Any, path: str, headers: dict[str, str], limit: int) -> list[str]:
    """The ids of every page, by following the cursor."""
    found: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = await read(service, path, headers, **params)
        found += [entry["id"] for entry in page["items"]]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


@pytest.mark.parametrize(("who", "status"), [("ann", 200), ("bob", 200), ("carl", 404)])
async def test_who_may_read_a_task_may_read_its_activity(who: str, status: int, service: Any, bearer: Bearer) -> None:
    task = await a_task_of_ann_for_bob(service, bearer)
    answer = await service.client.get(f"/v1/tasks/{task}/activity", headers=bearer(who))
    assert answer.status_code == status
    other = await service.client.get(f"/v1/tasks/{new_id()}/activity", headers=bearer(who))
    assert other.status_code == 404
    if status == 404:
        assert answer.text == other.text


async def test_an_administrator_reads_the_activity_of_any_task(service: Any, bearer: Bearer) -> None:
    task = await a_task_of_ann_for_bob(service, bearer)
    assert await read(service, f"/v1/tasks/{task}/activity", bearer("eve", "admin")) == {"items": [], "next": None}


async def test_who_loses_a_task_loses_its_activity_and_keeps_what_was_told(
    service: Any, log: MemoryActivity, bearer: Bearer
) -> None:
    task = await a_task_of_ann_for_bob(service, bearer)
    log.entries = [an_entry(task, 1, "ann", "bob"), an_entry(task, 2, "ann")]
    await service.client.put(f"/v1/tasks/{task}/assignee", json={"assignee": None}, headers=bearer("ann"))
    assert (await service.client.get(f"/v1/tasks/{task}/activity", headers=bearer("bob"))).status_code == 404
    assert await read_all(service, "/v1/activity", bearer("bob"), 10) == [log.entries[0].id]


async def test_the_activity_of_a_task_is_in_the_order_of_its_changes_whatever_the_ids_say(
    service: Any, log: MemoryActivity, bearer: Bearer
) -> None:
    task = await a_task_of_ann_for_bob(service, bearer)
    ids = sorted((new_id() for _ in range(7)), reverse=True)
    log.entries = [an_entry(task, n, "ann", id=id_) for n, id_ in enumerate(ids, 1)] + [an_entry(new_id(), 1, "ann")]
    for limit in (1, 3, 7, 100):
        assert await read_all(service, f"/v1/tasks/{task}/activity", bearer("ann"), limit) == ids[::-1]


async def test_a_feed_has_what_concerns_its_reader_newest_first(
    service: Any, log: MemoryActivity, bearer: Bearer
) -> None:
    log.entries = [an_entry(new_id(), 1, *people) for people in (("ann",), ("bob",), ("ann", "bob"), ("carl",)) * 3]
    mine = sorted((one.id for one in log.entries if "bob" in one.people), reverse=True)
    for limit in (1, 4, 6, 100):
        assert await read_all(service, "/v1/activity", bearer("bob"), limit) == mine


async def test_an_entry_says_what_happened_and_to_nobody_whose_feeds_it_is_in(
    service: Any, log: MemoryActivity, bearer: Bearer
) -> None:
    log.entries = [an_entry("t1", 1, "ann", "bob", title="日本", details={"changed": ["title"]}, actor=None)]
    (entry,) = (await read(service, "/v1/activity", bearer("ann")))["items"]
    assert entry == {
        "id": log.entries[0].id,
        "type": "task.updated",
        "task": "t1",
        "title": "日本",
        "actor": None,
        "at": "2026-11-23T12:00:00.123000Z",
        "details": {"changed": ["title"]},
    }


async def test_a_cursor_leads_nowhere_but_where_it_belongs(service: Any, log: MemoryActivity, bearer: Bearer) -> None:
    task, other = [await a_task_of_ann_for_bob(service, bearer) for _ in range(2)]
    log.entries = [an_entry(task, n, "ann", "bob") for n in range(1, 4)]
    feed = (await read(service, "/v1/activity", bearer("ann"), limit=1))["next"]
    of_task = (await read(service, f"/v1/tasks/{task}/activity", bearer("ann"), limit=1))["next"]
    for path, who, cursor in (
        ("/v1/activity", "bob", feed),
        ("/v1/activity", "ann", of_task),
        (f"/v1/tasks/{task}/activity", "ann", feed),
        (f"/v1/tasks/{other}/activity", "ann", of_task),
        (f"/v1/tasks/{task}/comments", "ann", of_task),
        ("/v1/activity", "ann", "AAAA"),
    ):
        answer = await service.client.get(path, params={"cursor": cursor}, headers=bearer(who))
        assert answer.status_code == 400, (path, who)


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "x" * 2049}], ids=str)
async def test_a_page_is_bounded(params: dict[str, Any], service: Any, bearer: Bearer) -> None:
    task = await a_task_of_ann_for_bob(service, bearer)
    for path in ("/v1/activity", f"/v1/tasks/{task}/activity"):
        assert (await service.client.get(path, params=params, headers=bearer("ann"))).status_code == 422


async def test_no_token_no_activity(service: Any) -> None:
    for path in ("/v1/activity", f"/v1/tasks/{new_id()}/activity"):
        assert (await service.client.get(path)).status_code == 401
