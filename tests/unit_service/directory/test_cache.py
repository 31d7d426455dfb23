"""Cards come from the cache while they are those of now, and from auth otherwise. Mocked: Redis and the directory."""

import asyncio
from collections.abc import Callable, Collection

import pytest

from taskservice.directory.cache import CachedDirectory, RedisCardCache
from taskservice.directory.cards import UserCard
from taskservice.kit.errors import Unavailable
from taskservice.kit.metrics import Metrics
from testkit.redis_fake import FakeDoor

pytestmark = pytest.mark.anyio


class Auth:
    """Answers with the names it has now; counts what it is asked, and may be made to wait."""

    def __init__(self, **names: str) -> None:
        self.names = names
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        self.asked.append(sorted(ids))
        cards = {
            id_: UserCard(id=id_, display_name=self.names[id_], email=f"{id_}@x.y") for id_ in ids if id_ in self.names
        }
        await self.open.wait()
        return cards


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("tasks", "1", "r1")


@pytest.fixture
def auth() -> Auth:
    return Auth(ann="Ann", bob="Bob", carl="Carl")


@pytest.fixture
def data() -> dict[str, bytes]:
    return {}


Pod = Callable[[], tuple[CachedDirectory, FakeDoor]]


@pytest.fixture
def pod(auth: Auth, data: dict[str, bytes], metrics: Metrics) -> Pod:
    """Each call is another process in front of the same Redis and the same auth."""

    def build() -> tuple[CachedDirectory, FakeDoor]:
        door = FakeDoor(data)
        return CachedDirectory(auth, door, metrics, 60), door  # pyright: ignore[reportArgumentType]

    return build


def forgetting(data: dict[str, bytes]) -> tuple[RedisCardCache, FakeDoor]:
    door = FakeDoor(data)
    return RedisCardCache(door), door  # pyright: ignore[reportArgumentType]


def counted(metrics: Metrics, result: str) -> float:
    labels = {"cache": "profile", "result": result}
    return metrics.registry.get_sample_value("taskservice_cache_requests_total", labels) or 0


async def name(directory: CachedDirectory, id_: str = "ann") -> str | None:
    return (await directory.find([id_]))[id_].display_name


async def test_a_card_is_asked_for_once_whichever_process_wants_it(pod: Pod, auth: Auth, metrics: Metrics) -> None:
    for _ in range(3):
        assert await name(pod()[0]) == "Ann"
    assert auth.asked == [["ann"]]
    assert (counted(metrics, "miss"), counted(metrics, "hit")) == (1, 2)
    assert metrics.registry.get_sample_value("taskservice_cache_fills_total", {"cache": "profile"}) == 1


async def test_of_many_only_those_are_asked_for_that_are_not_known(pod: Pod, auth: Auth) -> None:
    directory, _ = pod()
    await directory.find(["ann"])
    assert set(await directory.find(["bob", "ann", "bob", "carl"])) == {"ann", "bob", "carl"}
    assert auth.asked == [["ann"], ["bob", "carl"]]
    assert await directory.find([]) == {}


async def test_who_does_not_exist_is_asked_for_each_time(pod: Pod, auth: Auth) -> None:
    directory, _ = pod()
    assert await directory.find(["dora"]) == {}
    auth.names["dora"] = "Dora"
    assert await name(directory, "dora") == "Dora"


async def test_a_change_is_seen_at_once(pod: Pod, auth: Auth, data: dict[str, bytes]) -> None:
    directory, _ = pod()
    assert await name(directory) == "Ann"
    auth.names["ann"] = "Anna"
    await forgetting(data)[0].forget("ann")
    assert await name(directory) == "Anna"
    assert await name(pod()[0]) == "Anna"


async def test_a_card_asked_for_before_a_change_is_not_found_after_it(
    pod: Pod, auth: Auth, data: dict[str, bytes]
) -> None:
    directory, _ = pod()
    auth.open.clear()
    reading = asyncio.create_task(name(directory))
    while not auth.asked:  # noqa: ASYNC110 - until it has been asked
        await asyncio.sleep(0)
    auth.names["ann"] = "Anna"
    await forgetting(data)[0].forget("ann")
    late = asyncio.create_task(name(directory))
    await asyncio.sleep(0.01)
    auth.open.set()
    assert await reading == "Ann"  # asked before the change, and stored after it
    assert await late == "Anna"
    assert await name(pod()[0]) == "Anna"


async def test_many_who_miss_at_once_ask_once(pod: Pod, auth: Auth, metrics: Metrics) -> None:
    directory, _ = pod()
    await directory.find(["bob"])
    await directory.find(["dora"])  # both have a version from now on
    auth.names["dora"] = "Dora"
    auth.asked.clear()
    auth.open.clear()
    reading = [asyncio.create_task(name(directory, "dora")) for _ in range(10)]
    await asyncio.sleep(0.01)
    auth.open.set()
    assert await asyncio.gather(*reading) == ["Dora"] * 10
    assert auth.asked == [["dora"]]
    assert counted(metrics, "shared") == 9


async def test_without_redis_auth_is_asked_each_time(pod: Pod, auth: Auth, metrics: Metrics) -> None:
    directory, door = pod()
    door.away = True
    for _ in range(2):
        assert await name(directory) == "Ann"
    assert auth.asked == [["ann"], ["ann"]]
    assert counted(metrics, "away") == 2
    door.away = False
    await name(directory)
    assert await name(directory) == "Ann"
    assert len(auth.asked) == 3


async def test_redis_that_goes_while_auth_answers_costs_only_the_entry(pod: Pod, auth: Auth) -> None:
    directory, door = pod()
    auth.open.clear()
    reading = asyncio.create_task(name(directory))
    while not auth.asked:  # noqa: ASYNC110 - until it has been asked
        await asyncio.sleep(0)
    door.away = True
    auth.open.set()
    assert await reading == "Ann"


async def test_a_change_that_cannot_be_told_fails_nothing(data: dict[str, bytes]) -> None:
    cards, door = forgetting(data)
    door.away = True
    await cards.forget("ann")
    assert data == {}


async def test_what_is_no_card_is_a_miss(pod: Pod, auth: Auth, data: dict[str, bytes]) -> None:
    directory, _ = pod()
    await directory.find(["ann"])
    version = data["directory:version:ann"]
    data["directory:card:1:ann"] = version + b'{"id": 7}'
    assert await name(directory) == "Ann"
    assert len(auth.asked) == 2


async def test_a_failure_of_auth_is_the_caller_s_and_is_not_kept(pod: Pod, auth: Auth) -> None:
    class Away(Auth):
        async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
            raise Unavailable("away")

    directory, door = pod()
    failing = CachedDirectory(Away(), door, Metrics("tasks", "1", "r1"), 60)  # pyright: ignore[reportArgumentType]
    with pytest.raises(Unavailable):
        await failing.find(["ann"])
    assert await name(directory) == "Ann"
