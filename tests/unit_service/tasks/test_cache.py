"""Never a list of before a write that was acknowledged, whatever Redis does and in whatever order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Principal
from taskservice.kit.metrics import Metrics
from taskservice.kit.redis import Away
from taskservice.tasks.cache import EPOCH, RedisListCache
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.schemas import NewTask, TaskPage
from taskservice.tasks.service import TaskService

pytestmark = pytest.mark.anyio


class FakeRedis:
    """The few commands that the cache uses, on a dictionary that outlives an outage."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.data = data
        self._queued: list[tuple[str, Any]] = []

    async def mget(self, keys: list[str]) -> list[bytes | None]:
        return [self.data.get(key) for key in keys]

    async def set(self, key: str, value: bytes, *, ex: int | None = None, nx: bool = False) -> None:
        if not nx or key not in self.data:
            self.data[key] = value

    def pipeline(self, transaction: bool) -> "FakePipeline":
        return FakePipeline(self)


class FakePipeline:
    def __init__(self, redis: FakeRedis) -> None:
        self._redis = redis
        self._calls: list[Awaitable[Any]] = []

    def set(self, *arguments: Any, **options: Any) -> None:
        self._calls.append(self._redis.set(*arguments, **options))

    def mget(self, keys: list[str]) -> None:
        self._calls.append(self._redis.mget(keys))

    async def execute(self) -> list[Any]:
        return [await call for call in self._calls]


class FakeDoor:
    """A BestEffortRedis that the test opens and closes."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.redis = FakeRedis(data)
        self.away = False

    async def call(self, operation: Callable[[Any], Awaitable[Any]]) -> Any:
        if self.away:
            raise Away
        return await operation(self.redis)

    async def close(self) -> None:
        return None


@pytest.fixture
def data() -> dict[str, bytes]:
    return {}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("tasks", "1", "r1")


@pytest.fixture
def pod(data: dict[str, bytes], metrics: Metrics) -> Callable[[], tuple[RedisListCache, FakeDoor]]:
    """Each call is another process in front of the same Redis."""

    def build() -> tuple[RedisListCache, FakeDoor]:
        door = FakeDoor(data)
        return RedisListCache(door, metrics, 30), door  # pyright: ignore[reportArgumentType]

    return build


Pod = Callable[[], tuple[RedisListCache, FakeDoor]]


async def fill(cache: RedisListCache, page: bytes = b"page", owner: str = "ann") -> None:
    found = await cache.look_up(owner, "q")
    assert found.tag is not None
    await cache.fill(owner, "q", found.tag, page)


async def test_filled_then_hit_on_every_pod(pod: Pod) -> None:
    (one, _), (two, _) = pod(), pod()
    await fill(one)
    assert (await two.look_up("ann", "q")).page == b"page"
    assert (await two.look_up("ann", "other")).page is None
    assert (await two.look_up("bob", "q")).page is None


async def test_a_bump_forgets_the_owner_only(pod: Pod) -> None:
    (one, _), (two, _) = pod(), pod()
    await fill(one)
    await fill(one, owner="bob")
    await two.bump("ann")
    assert (await one.look_up("ann", "q")).page is None
    assert (await one.look_up("bob", "q")).page == b"page"


async def test_what_was_read_before_a_write_is_never_served_after_it(pod: Pod) -> None:
    reader, _ = pod()
    before = await reader.look_up("ann", "q")
    await reader.bump("ann")  # the write happens while the reader is at the database
    assert before.tag is not None
    await reader.fill("ann", "q", before.tag, b"old")
    assert (await reader.look_up("ann", "q")).page is None


@pytest.mark.parametrize("lost", ["version", "epoch", "both"])
async def test_a_version_that_redis_lost_never_comes_back(lost: str, pod: Pod, data: dict[str, bytes]) -> None:
    cache, _ = pod()
    await fill(cache)
    for key in list(data):
        if (key == EPOCH and lost != "version") or (key.startswith("tasks:version") and lost != "epoch"):
            del data[key]
    assert (await cache.look_up("ann", "q")).page is None
    await fill(cache, b"new")
    assert (await cache.look_up("ann", "q")).page == b"new"


async def test_redis_away_is_a_bypass(pod: Pod, metrics: Metrics) -> None:
    cache, door = pod()
    door.away = True
    found = await cache.look_up("ann", "q")
    assert (found.page, found.tag) == (None, None)
    labels = {"cache": "task_list", "result": "bypass"}
    assert metrics.registry.get_sample_value("taskservice_cache_requests_total", labels) == 1


async def test_a_bump_that_could_not_be_sent_is_made_good_for_everybody(pod: Pod) -> None:
    (writer, door), (reader, _) = pod(), pod()
    await fill(reader, b"old")
    door.away = True
    await writer.bump("ann")
    door.away = False
    # Redis is back with all it held: the writer trusts nothing before it has replaced the epoch.
    found = await writer.look_up("ann", "q")
    assert (found.page, found.tag) == (None, None)
    async with asyncio.timeout(5):
        while (await writer.look_up("ann", "q")).tag is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await reader.look_up("ann", "q")).page is None
    await writer.close()


async def test_read_your_own_write_in_a_random_history(pod: Pod) -> None:
    """Writers, readers and outages interleaved; every read sees at least what was acknowledged before it."""
    tasks, caller = MemoryTasks(), Principal("ann", "t")
    pods = [pod() for _ in range(3)]
    services = [TaskService(tasks, cache, _now) for cache, _ in pods]
    acknowledged: set[str] = set()

    async def writer(service: TaskService) -> None:
        for n in range(40):
            task = await service.create(caller, NewTask(title=f"{n}"))
            acknowledged.add(task.id)
            await asyncio.sleep(0)

    async def reader(service: TaskService) -> None:
        for _ in range(200):
            known = set(acknowledged)
            page = TaskPage.model_validate_json(await service.list_page(caller, 200))
            assert known <= {task.id for task in page.items}
            await asyncio.sleep(0)

    await asyncio.gather(*(work(service) for service in services for work in (writer, reader)))
    assert len(acknowledged) == 120
    for cache, _ in pods:
        await cache.close()


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


async def test_a_failed_write_forgets_too(pod: Pod) -> None:
    class Timeout(MemoryTasks):
        async def add(self, task: Any) -> None:
            await super().add(task)
            raise TimeoutError  # it happened, but nobody was told

    cache, _ = pod()
    service, caller = TaskService(Timeout(), cache, _now), Principal(new_id(), "t")
    await service.list_page(caller, 10)
    with pytest.raises(TimeoutError):
        await service.create(caller, NewTask(title="x"))
    assert len(TaskPage.model_validate_json(await service.list_page(caller, 10)).items) == 1
