"""Never a list of before a write that was acknowledged, whatever Redis does and in whatever order."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice.kit.errors import Unavailable
from taskservice.kit.idempotency import MemoryAnswers
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Principal
from taskservice.kit.metrics import Metrics
from taskservice.tasks.cache import EPOCH, RedisListCache
from taskservice.tasks.cursor import Cursors
from taskservice.tasks.directory import MemoryDirectory, UserCard
from taskservice.tasks.listing import Scope
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.schemas import NewTask, TaskChange, TaskPage
from taskservice.tasks.service import TaskService
from testkit.redis_fake import FakeDoor

pytestmark = pytest.mark.anyio


class Database:
    """What `read` of the cache reads: counts, and may be made to wait."""

    def __init__(self, page: bytes = b"page") -> None:
        self.page = page
        self.reads = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes:
        self.reads += 1
        page = self.page
        await self.open.wait()
        return page


@pytest.fixture
def data() -> dict[str, bytes]:
    return {}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("tasks", "1", "r1")


Pod = Callable[[], tuple[RedisListCache, FakeDoor]]


@pytest.fixture
def pod(data: dict[str, bytes], metrics: Metrics) -> Pod:
    """Each call is another process in front of the same Redis."""

    def build() -> tuple[RedisListCache, FakeDoor]:
        door = FakeDoor(data)
        return RedisListCache(door, metrics, 30), door  # pyright: ignore[reportArgumentType]

    return build


def counted(metrics: Metrics, result: str) -> float:
    labels = {"cache": "task_list", "result": result}
    return metrics.registry.get_sample_value("taskservice_cache_requests_total", labels) or 0


async def known(cache: RedisListCache, user: str = "ann", query: str = "q") -> bool:
    """Whether the page comes from the cache."""
    database = Database(b"not cached")
    return await cache.through(user, query, database) != b"not cached"


async def test_what_was_sought_is_answered_without_asking_again(pod: Pod, metrics: Metrics) -> None:
    cache, door = pod()
    database = Database()
    await cache.through("ann", "q", database)
    sought = cache.seek("ann", "q")
    assert sought is not None
    found = await sought
    door.away = True
    assert await cache.through("ann", "q", database, asyncio.sleep(0, found)) == b"page"
    assert database.reads == 1


async def test_what_was_sought_in_vain_is_read(pod: Pod, metrics: Metrics) -> None:
    cache, door = pod()
    await cache.through("ann", "q", Database())
    door.away = True
    database = Database(b"read")
    assert await cache.through("ann", "q", database, cache.seek("ann", "q")) == b"read"
    assert counted(metrics, "away") == 1


async def test_nothing_is_sought_until_a_bump_that_failed_is_made_up_for(pod: Pod) -> None:
    cache, door = pod()
    door.away = True
    await cache.bump(["ann"])
    assert cache.seek("ann", "q") is None
    await cache.close()


async def test_filled_then_hit_on_every_pod(pod: Pod, metrics: Metrics) -> None:
    (one, _), (two, _) = pod(), pod()
    database = Database()
    for cache in (one, two, one):
        assert await cache.through("ann", "q", database) == b"page"
    assert database.reads == 1
    assert (counted(metrics, "miss"), counted(metrics, "hit")) == (1, 2)
    assert metrics.registry.get_sample_value("taskservice_cache_fills_total", {"cache": "task_list"}) == 1
    assert not await known(two, query="other")
    assert not await known(two, "bob")


async def test_a_bump_forgets_the_named_users_only(pod: Pod) -> None:
    (one, _), (two, _) = pod(), pod()
    for user in ("ann", "bob", "carl"):
        await one.through(user, "q", Database())
    await two.bump({"ann", "bob"})
    assert [await known(one, user) for user in ("ann", "bob", "carl")] == [False, False, True]


async def test_what_was_read_before_a_write_is_never_served_after_it(pod: Pod) -> None:
    (reader, _), (other, _) = pod(), pod()
    database = Database(b"old")
    database.open.clear()
    reading = asyncio.create_task(reader.through("ann", "q", database))
    while not database.reads:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await other.bump({"ann"})  # the write happens while the reader is at the database
    after = Database(b"new")
    assert await reader.through("ann", "q", after) == b"new"  # nor does it share what is being read
    database.open.set()
    assert await reading == b"old"
    assert await reader.through("ann", "q", after) == b"new"
    assert await other.through("ann", "q", after) == b"new"


async def test_many_readers_of_one_pod_read_the_database_once(pod: Pod, metrics: Metrics) -> None:
    cache, _ = pod()
    database = Database()
    assert set(await asyncio.gather(*(cache.through("ann", "q", database) for _ in range(50)))) == {b"page"}
    assert database.reads == 1
    assert (counted(metrics, "miss"), counted(metrics, "shared")) == (1, 49)


async def test_many_pods_read_the_database_once(pod: Pod, metrics: Metrics) -> None:
    pods = [pod()[0] for _ in range(8)]
    database = Database()
    assert set(await asyncio.gather(*(cache.through("ann", "q", database) for cache in pods))) == {b"page"}
    assert database.reads == 1
    assert (counted(metrics, "miss"), counted(metrics, "shared")) == (1, 7)


async def test_a_pod_that_dies_while_it_fills_holds_up_nobody_for_long(pod: Pod) -> None:
    (dying, _), (other, _) = pod(), pod()
    never = Database()
    never.open.clear()
    filling = asyncio.create_task(dying.through("ann", "q", never))
    while not never.reads:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await dying.close()
    with pytest.raises(asyncio.CancelledError):
        await filling
    async with asyncio.timeout(10):
        assert await other.through("ann", "q", Database(b"read")) == b"read"


async def test_a_reader_who_leaves_takes_nothing_from_the_others(pod: Pod) -> None:
    cache, _ = pod()
    database = Database()
    database.open.clear()
    readers = [asyncio.create_task(cache.through("ann", "q", database)) for _ in range(3)]
    while not database.reads:  # noqa: ASYNC110
        await asyncio.sleep(0)
    readers[0].cancel()
    await asyncio.sleep(0)
    database.open.set()
    assert await asyncio.gather(*readers[1:]) == [b"page", b"page"]
    assert database.reads == 1


async def test_a_read_that_fails_fails_for_all_who_wait_and_is_tried_again(pod: Pod) -> None:
    cache, _ = pod()

    async def broken() -> bytes:
        await asyncio.sleep(0)
        raise Unavailable

    outcomes = await asyncio.gather(*(cache.through("ann", "q", broken) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert await cache.through("ann", "q", Database()) == b"page"


@pytest.mark.parametrize("lost", ["version", "epoch", "both"])
async def test_a_version_that_redis_lost_never_comes_back(lost: str, pod: Pod, data: dict[str, bytes]) -> None:
    cache, _ = pod()
    await cache.through("ann", "q", Database(b"old"))
    for key in list(data):
        if (key == EPOCH and lost != "version") or (key.startswith("tasks:version") and lost != "epoch"):
            del data[key]
    assert await cache.through("ann", "q", Database(b"new")) == b"new"
    assert await cache.through("ann", "q", Database(b"newer")) == b"new"


async def test_redis_away_is_a_read_of_the_database(pod: Pod, metrics: Metrics) -> None:
    cache, door = pod()
    door.away = True
    for page in (b"one", b"two"):
        assert await cache.through("ann", "q", Database(page)) == page
    assert counted(metrics, "away") == 2


async def test_redis_that_goes_while_it_is_filled_costs_the_entry_only(pod: Pod) -> None:
    cache, door = pod()

    async def read() -> bytes:
        door.away = True
        return b"read"

    assert await cache.through("ann", "q", read) == b"read"
    door.away = False
    assert not await known(cache)


async def test_a_bump_that_could_not_be_sent_is_made_good_for_everybody(pod: Pod) -> None:
    (writer, door), (reader, _) = pod(), pod()
    await reader.through("ann", "q", Database(b"old"))
    door.away = True
    await writer.bump({"ann", "bob"})
    door.away = False
    # Redis is back with all it held: the writer trusts nothing before it has replaced the epoch.
    assert await writer.through("ann", "q", Database(b"new")) == b"new"
    async with asyncio.timeout(5):
        while await reader.through("ann", "q", Database(b"new")) == b"old":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while await writer.through("ann", "q", Database(b"not cached")) == b"not cached":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await writer.close()


def test_entries_that_were_filled_together_do_not_end_together(pod: Pod) -> None:
    cache, _ = pod()
    ends = {cache._jittered() for _ in range(200)}
    assert len(ends) > 50
    assert 24_000 <= min(ends) <= max(ends) <= 30_000


def service(tasks: MemoryTasks, cache: RedisListCache) -> TaskService:
    users = MemoryDirectory(*(UserCard(id=name, display_name=None, email="") for name in ("ann", "bob", "carl")))
    return TaskService(tasks, MemoryAnswers(), users, cache, Cursors(b"key"), lambda: datetime.now(UTC))


async def ids(service: TaskService, caller: Principal, scope: Scope) -> set[str]:
    page = await service.page(caller, service.query(caller, 400, scope))
    return {task.id for task in TaskPage.model_validate_json(page.body).items}


async def test_read_your_own_write_in_a_random_history(pod: Pod) -> None:
    """Writers, readers and outages interleaved; every read sees at least what was acknowledged before it.

    Each task is assigned to bob when it is made: his list must be as fresh as that of its owner.
    """
    tasks = MemoryTasks()
    ann, bob = Principal("ann", "t"), Principal("bob", "t")
    pods = [pod() for _ in range(3)]
    acknowledged: set[str] = set()

    async def writer(pod: TaskService) -> None:
        for n in range(40):
            answer = await pod.create(ann, NewTask(title=f"{n}", assignee="bob"))
            acknowledged.add(json.loads(answer.body)["id"])
            await asyncio.sleep(0)

    async def reader(pod: TaskService, caller: Principal, scope: Scope) -> None:
        for _ in range(200):
            before = set(acknowledged)
            assert before <= await ids(pod, caller, scope)
            await asyncio.sleep(0)

    work = []
    for cache, _ in pods:
        one = service(tasks, cache)
        work += [writer(one), reader(one, ann, Scope.MINE), reader(one, bob, Scope.ASSIGNED)]
    await asyncio.gather(*work)
    assert len(acknowledged) == 120
    for cache, _ in pods:
        await cache.close()


async def test_a_change_is_seen_in_every_list_it_touches(pod: Pod) -> None:
    (here, _), (there, _) = pod(), pod()
    tasks = MemoryTasks()
    one, two = service(tasks, here), service(tasks, there)
    ann, bob, carl = (Principal(name, "t") for name in ("ann", "bob", "carl"))

    async def titles() -> list[list[str]]:
        asked = [(ann, Scope.MINE), (bob, Scope.ASSIGNED), (carl, Scope.ASSIGNED)]
        pages = [await two.page(caller, two.query(caller, 9, scope)) for caller, scope in asked]
        return [[task.title for task in TaskPage.model_validate_json(page.body).items] for page in pages]

    task = json.loads((await one.create(ann, NewTask(title="a", assignee="bob"))).body)["id"]
    assert await titles() == [["a"], ["a"], []]
    await one.update(bob, task, TaskChange(title="b"))
    assert await titles() == [["b"], ["b"], []]
    await one.assign(ann, task, "carl")
    assert await titles() == [["b"], [], ["b"]]
    await one.assign(carl, task, None)
    assert await titles() == [["b"], [], []]
    await one.delete(ann, task)
    assert await titles() == [[], [], []]


async def test_a_failed_write_forgets_too(pod: Pod) -> None:
    class Timeout(MemoryTasks):
        async def add(self, task: Any, events: Any, answer: Any = None) -> None:
            await super().add(task, events, answer)
            raise TimeoutError  # it happened, but nobody was told

    cache, _ = pod()
    failing, caller = service(Timeout(), cache), Principal(new_id(), "t")
    assert await ids(failing, caller, Scope.MINE) == set()
    with pytest.raises(TimeoutError):
        await failing.create(caller, NewTask(title="x"))
    assert len(await ids(failing, caller, Scope.MINE)) == 1
