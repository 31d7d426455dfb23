"""An end that was acknowledged is seen by every process, whatever Redis did; on a real Redis and a real database.

Each `Pod` has its own way to Redis, which a test can cut. The lease is short here; the protocol is the same.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from taskservice.kit import denylist_mirror
from taskservice.kit.denylist import DENYLIST, KEPT, Entry, MongoDenylist
from taskservice.kit.denylist_mirror import MARK, MirroredDenylist
from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.kit.mongo import Mongo
from taskservice.kit.redis import BestEffortRedis
from testkit.redis_server import RedisServer
from testkit.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio

LEASE = 1.5


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class CountingStore:
    """The real store; says how often it was asked, and fails on demand."""

    store: MongoDenylist
    asked: int = 0
    down: bool = False

    async def refuses(self, session_id: str) -> bool:
        self.asked += 1
        return await self._do(self.store.refuses(session_id))

    async def add(self, session_ids: Any, moment: datetime) -> None:
        await self._do(self.store.add(session_ids, moment))

    async def live(self, moment: datetime, limit: int) -> list[Entry]:
        return await self._do(self.store.live(moment, limit))

    async def added_since(self, moment: datetime) -> list[Entry]:
        return await self._do(self.store.added_since(moment))

    async def _do(self, work: Awaitable[Any]) -> Any:
        found = await work
        if self.down:
            raise Unavailable
        return found


@dataclass
class Pod:
    """One process: a way to Redis that can be cut, and a denylist that is kept."""

    denylist: MirroredDenylist
    store: CountingStore
    proxy: TcpProxy
    redis: BestEffortRedis
    keeping: asyncio.Task[None] | None = field(default=None)

    def keep(self) -> "Pod":
        self.keeping = asyncio.create_task(self.denylist.keep())
        return self

    async def leave(self) -> None:
        if self.keeping:
            self.keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self.keeping
        await self.redis.close()
        await self.proxy.close()


StartPod = Callable[[], Awaitable[Pod]]


@pytest.fixture
async def pod(database: Mongo, redis_server: RedisServer) -> AsyncIterator[StartPod]:
    started: list[Pod] = []

    async def start() -> Pod:
        proxy = await TcpProxy.to(redis_server.port)
        redis = BestEffortRedis(f"redis://127.0.0.1:{proxy.port}/0", timeout_seconds=0.5, retry_seconds=0.2)
        store = CountingStore(MongoDenylist(database.collection(DENYLIST)))
        denylist = MirroredDenylist(store, redis, name="test", lease_seconds=LEASE)
        started.append(Pod(denylist, store, proxy, redis))
        return started[-1]

    yield start
    for each in started:
        await each.leave()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A way to Redis that is no pod's."""
    client = Redis.from_url(redis_server.url)
    yield client
    closing: Any = client.aclose()
    await closing


async def mirrored(pod: Pod) -> None:
    """Waits until Redis answers for this pod."""
    async with asyncio.timeout(20):
        while True:
            before = pod.store.asked
            await pod.denylist.refuses("nobody")
            if pod.store.asked == before:
                return
            await asyncio.sleep(0.02)


async def test_an_end_is_seen_by_everybody_and_costs_the_database_nothing(pod: StartPod) -> None:
    one, two = (await pod()).keep(), (await pod()).keep()
    await mirrored(two)
    session, other = new_id(), new_id()
    assert not await two.denylist.refuses(session)
    await one.denylist.add([session], now())
    asked = two.store.asked
    for _ in range(20):
        assert await two.denylist.refuses(session)
        assert not await two.denylist.refuses(other)
    assert two.store.asked == asked


async def test_without_a_mark_the_database_answers(pod: StartPod, redis: Redis) -> None:
    one = await pod()  # nobody keeps the mirror
    session = new_id()
    await one.denylist.add([session], now())
    assert not await one.denylist.refuses(new_id())
    assert one.store.asked == 1
    await redis.flushall()
    assert await one.denylist.refuses(session)
    assert one.store.asked == 2


async def test_a_redis_that_lost_everything_is_filled_again(pod: StartPod, redis: Redis) -> None:
    one = (await pod()).keep()
    sessions = [new_id() for _ in range(50)]
    await one.denylist.add(sessions, now())
    for _ in range(3):
        await mirrored(one)
        await redis.flushall()
        assert all([await one.denylist.refuses(session) for session in sessions])
    await mirrored(one)
    asked = one.store.asked
    assert all([await one.denylist.refuses(session) for session in sessions])
    assert one.store.asked == asked


async def test_a_restart_is_survived(pod: StartPod, redis_server: RedisServer) -> None:
    one, two = (await pod()).keep(), (await pod()).keep()
    await mirrored(two)
    before, during = new_id(), new_id()
    await one.denylist.add([before], now())
    redis_server.kill()
    assert await two.denylist.refuses(before)
    assert not await two.denylist.refuses(during)
    await one.denylist.add([during], now())
    assert await two.denylist.refuses(during)
    redis_server.start()
    assert await two.denylist.refuses(before)
    assert await two.denylist.refuses(during)
    await mirrored(two)
    assert await two.denylist.refuses(before)
    assert await two.denylist.refuses(during)


async def test_an_end_that_redis_missed_is_seen_before_it_is_acknowledged(pod: StartPod) -> None:
    """The one who ends it is cut off; the others are not, and have a mark that says that nothing is missing."""
    cut_off, reader = await pod(), (await pod()).keep()
    await mirrored(reader)
    cut_off.proxy.cut()
    session = new_id()
    await cut_off.denylist.add([session], now())
    assert await reader.denylist.refuses(session)
    asked = reader.store.asked
    await mirrored(reader)
    assert await reader.denylist.refuses(session)
    assert reader.store.asked <= asked + 3  # it is in Redis too


async def test_a_reader_that_nobody_keeps_loses_its_lease_before_the_end_is_acknowledged(pod: StartPod) -> None:
    cut_off, reader = await pod(), await pod()
    await reader.denylist.renew()
    assert not await reader.denylist.refuses(new_id())
    assert reader.store.asked == 0
    cut_off.proxy.cut()
    session = new_id()
    await cut_off.denylist.add([session], now())
    assert await reader.denylist.refuses(session)
    assert reader.store.asked == 1


async def test_an_extension_that_was_decided_before_an_end_does_not_outlast_it(pod: StartPod) -> None:
    """The keeper has read the database, and is held up; its late extension counts from before it read."""
    cut_off, keeper = await pod(), await pod()
    await keeper.denylist.renew()
    cut_off.proxy.cut()
    session = new_id()
    await asyncio.sleep(LEASE * 0.7)  # until an extension is worth it
    store, reading, go = keeper.store, asyncio.Event(), asyncio.Event()
    added_since = store.added_since

    async def held_up(moment: datetime) -> list[Entry]:
        found = await added_since(moment)
        reading.set()
        await go.wait()
        return found

    store.added_since = held_up  # pyright: ignore[reportAttributeAccessIssue]
    renewing = asyncio.create_task(keeper.denylist.renew())
    await reading.wait()
    ending = asyncio.create_task(cut_off.denylist.add([session], now()))
    await asyncio.sleep(LEASE * 0.2)
    go.set()
    await renewing
    await ending
    assert await keeper.denylist.refuses(session)


async def test_a_load_that_was_held_up_while_redis_forgot_marks_nothing(pod: StartPod, redis: Redis) -> None:
    loader, other = await pod(), await pod()
    live, session = loader.store.live, new_id()

    async def held_up(moment: datetime, limit: int) -> list[Entry]:
        found = await live(moment, limit)
        await other.denylist.add([session], now())  # after the read, and into a Redis that is about to forget it
        await redis.flushall()
        return found

    loader.store.live = held_up  # pyright: ignore[reportAttributeAccessIssue]
    await loader.denylist.renew()
    assert await redis.zmscore("auth:denylist:test", [MARK]) == [None]  # pyright: ignore[reportGeneralTypeIssues]
    assert await other.denylist.refuses(session)


async def test_without_redis_and_database_it_is_not_known(pod: StartPod, redis_server: RedisServer) -> None:
    one = await pod()
    redis_server.kill()
    one.store.down = True
    with pytest.raises(Unavailable):
        await one.denylist.refuses(new_id())
    with pytest.raises(Unavailable):
        await one.denylist.add([new_id()], now())


async def test_more_entries_than_can_be_mirrored_are_answered_by_the_database(
    pod: StartPod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denylist_mirror, "MAX_MIRRORED", 5)
    one = await pod()
    sessions = [new_id() for _ in range(6)]
    await one.store.add(sessions, now())
    await one.denylist.renew()
    assert all([await one.denylist.refuses(session) for session in sessions])
    assert not await one.denylist.refuses(new_id())
    assert one.store.asked == 7


async def test_what_can_matter_no_more_is_forgotten(pod: StartPod, redis: Redis) -> None:
    one = await pod()
    old, fresh = new_id(), new_id()
    await one.denylist.add([old], now() - KEPT - timedelta(minutes=2))
    await one.denylist.add([fresh], now())
    await one.denylist.renew()
    found = await redis.zmscore("auth:denylist:test", [old, fresh, MARK])  # pyright: ignore[reportGeneralTypeIssues]
    assert [score is not None for score in found] == [False, True, True]


async def test_no_history_of_faults_lets_an_ended_session_in(pod: StartPod, redis_server: RedisServer) -> None:
    """Three pods end and ask while Redis forgets, restarts, hangs and is cut off from one or another."""
    pods = [(await pod()).keep() for _ in range(3)]
    chance = random.Random(7)
    acknowledged: list[str] = []
    stop = asyncio.Event()
    checks = 0

    async def end_some(own: Pod) -> None:
        while not stop.is_set():
            session = new_id()
            assert not await own.denylist.refuses(session)
            await own.denylist.add([session], now())
            acknowledged.append(session)
            await asyncio.sleep(0.01)

    async def ask(own: Pod) -> None:
        nonlocal checks
        while not stop.is_set():
            for session in acknowledged[-20:]:
                assert await own.denylist.refuses(session), session
                checks += 1
            await asyncio.sleep(0.005)

    async def fail() -> None:
        for _ in range(16):
            fault = chance.choice(["flush", "restart", "freeze", "cut", "cut", "cut"])
            if fault == "flush":
                async with Redis.from_url(redis_server.url) as client:
                    await client.flushall()
            elif fault == "restart":
                redis_server.kill()
                await asyncio.to_thread(redis_server.start)
            elif fault == "freeze":
                redis_server.freeze()
                await asyncio.sleep(chance.uniform(0, 2 * LEASE))
                redis_server.thaw()
            else:
                victim = chance.choice(pods)
                victim.proxy.cut()
                await asyncio.sleep(chance.uniform(0, 2 * LEASE))
                victim.proxy.mend()
            await asyncio.sleep(chance.uniform(0, 0.5))

    workers = [asyncio.create_task(work(own)) for own in pods for work in (end_some, ask)]
    failing = asyncio.create_task(fail())
    done, _ = await asyncio.wait([*workers, failing], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    failing.cancel()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is not None] == []
    assert failing in done
    assert len(acknowledged) > 50
    assert checks > 1000
