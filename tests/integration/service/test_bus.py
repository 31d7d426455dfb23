"""One contract for both brokers, on real ones: order by key, nothing lost, nothing done before it is handled."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from taskservice.kit import bus
from taskservice.kit.bus import Bus, BusAway, Message, Rejected
from taskservice.kit.settings import BusSettings
from testkit.kafka import KafkaServer
from testkit.mongod import PartUnavailable, free_port
from testkit.rabbitmq import RabbitServer

pytestmark = pytest.mark.anyio

Broker = RabbitServer | KafkaServer
OpenBus = Callable[..., Any]


@pytest.fixture(params=[RabbitServer, KafkaServer], ids=["rabbitmq", "kafka"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    try:
        running = request.param(tmp_path_factory.mktemp("broker")).__enter__()
    except PartUnavailable as reason:
        pytest.skip(str(reason))
    yield running
    running.__exit__()


def settings_for(broker: Broker) -> BusSettings:
    values: dict[str, Any] = {
        "mongo_url": "mongodb://unused",
        "bus_url": broker.url,
        "bus_partitions": 4,
        "bus_workers": 2,
        "bus_timeout_seconds": 10,
        "bus_graceful_seconds": 1,
    }
    return BusSettings(**values)


@asynccontextmanager
async def open_bus(broker: Broker, handler: Callable[[bytes], Awaitable[None]] | None = None) -> AsyncIterator[Bus]:
    opened = bus.connect(settings_for(broker))
    await opened.start(handler)
    try:
        yield opened
    finally:
        await opened.stop()


async def publish(opened: Bus, key: str, body: bytes) -> None:
    """As the relay does: again until it is confirmed."""
    while True:
        try:
            return await opened.publish(Message(key, body))
        except BusAway:
            await asyncio.sleep(0.1)


async def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what other processes do is waited for
            await asyncio.sleep(0.02)


class Keeper:
    """A handler that writes down what it was given, by key; `key:number` is the body."""

    def __init__(self) -> None:
        self.got: dict[str, list[int]] = defaultdict(list)
        self.total = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, body: bytes) -> None:
        await self.gate.wait()
        key, _, number = body.decode().partition(":")
        self.got[key].append(int(number))
        self.total += 1

    def first_times(self) -> dict[str, list[int]]:
        return {key: list(dict.fromkeys(numbers)) for key, numbers in self.got.items()}


EXPECTED = {f"k{n}": list(range(20)) for n in range(10)}


async def publish_all(opened: Bus) -> None:
    async def one_key(key: str) -> None:
        for number in EXPECTED[key]:
            await publish(opened, key, f"{key}:{number}".encode())

    await asyncio.gather(*(one_key(key) for key in EXPECTED))


async def contract_order(broker: Broker) -> None:
    keeper = Keeper()
    async with open_bus(broker, keeper) as opened:
        await publish_all(opened)
        await until(lambda: keeper.total == 200)
    assert keeper.got == EXPECTED  # nothing twice while nothing fails


async def contract_waits_for_a_consumer(broker: Broker) -> None:
    keeper = Keeper()
    async with open_bus(broker) as producer:
        await publish(producer, "early", b"early:1")
    async with open_bus(broker, keeper):
        await until(lambda: keeper.total == 1)
    assert keeper.got == {"early": [1]}


async def contract_comes_again(broker: Broker) -> None:
    """A handler that does not end before its process leaves: the message goes to the next consumer."""
    begun = asyncio.Event()

    async def stuck(_: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with open_bus(broker, stuck) as opened:
        await publish(opened, "again", b"again:1")
        await publish(opened, "again", b"again:2")
        async with asyncio.timeout(60):
            await begun.wait()
    keeper = Keeper()
    async with open_bus(broker, keeper):
        await until(lambda: keeper.total == 2)
    assert keeper.got == {"again": [1, 2]}


async def contract_dead_letters(broker: Broker) -> None:
    refused: set[bytes] = {b"poison:1", b"poison:2", b"poison:3"}
    keeper = Keeper()

    async def handler(body: bytes) -> None:
        if body in refused:
            raise Rejected("there is something wrong with " + body.decode() + "x" * 1000)
        await keeper(body)

    async with open_bus(broker, handler) as opened:
        for number in range(1, 5):
            await publish(opened, "poison", f"poison:{number}".encode())
        await until(lambda: keeper.total == 1)  # what follows a poisoned message is not held up
        async with open_bus(broker) as tool:
            seen = await tool.replay(10, dry_run=True)
            assert [letter.body for letter in seen] == [b"poison:1", b"poison:2", b"poison:3"]
            assert {letter.key for letter in seen} == {"poison"}
            assert seen[0].reason.startswith("there is something wrong with poison:1")
            assert len(seen[0].reason) == bus.LONGEST_REASON
            assert keeper.total == 1  # looking at them moves none
            refused.clear()
            assert await tool.replay(2, dry_run=False) == seen[:2]
            await until(lambda: keeper.total == 3)
            assert await tool.replay(10, dry_run=False) == seen[2:]
            assert await tool.replay(10, dry_run=False) == []
        await until(lambda: keeper.total == 4)
    assert keeper.got == {"poison": [4, 1, 2, 3]}


async def contract_survives_the_broker(broker: Broker) -> None:
    keeper = Keeper()
    async with open_bus(broker, keeper) as opened:
        publishing = asyncio.create_task(publish_all(opened))
        await until(lambda: keeper.total >= 20)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        async with asyncio.timeout(90):
            await publishing
        await until(lambda: keeper.first_times() == EXPECTED)


async def contract_keeps_the_order_over_handovers(broker: Broker) -> None:
    """Consumers that come and go in the middle of their work, as in a release of the worker."""
    keeper = Keeper()
    async with open_bus(broker) as producer:
        publishing = asyncio.create_task(publish_all(producer))
        for goal in (20, 60, 100, 140):
            async with open_bus(broker, keeper), open_bus(broker, keeper):
                await until(lambda goal=goal: keeper.total >= goal)
        async with open_bus(broker, keeper):
            await publishing
            await until(lambda: keeper.first_times() == EXPECTED)


async def test_the_contract(broker: Broker) -> None:
    """One test, because a broker takes long to start: each part leaves the queues empty."""
    for part in (
        contract_order,
        contract_waits_for_a_consumer,
        contract_comes_again,
        contract_keeps_the_order_over_handovers,
        contract_dead_letters,
        contract_survives_the_broker,
    ):
        await part(broker)


@pytest.mark.parametrize("scheme", ["amqp", "kafka"])
async def test_a_broker_that_is_away_is_said_so_within_the_time(scheme: str) -> None:
    values: dict[str, Any] = {
        "mongo_url": "mongodb://unused",
        "bus_url": f"{scheme}://127.0.0.1:{free_port()}",
        "bus_timeout_seconds": 1,
    }
    opened = bus.connect(BusSettings(**values))
    threads = threading.active_count()
    for _ in range(2):
        with pytest.raises(BusAway):
            async with asyncio.timeout(60):
                await opened.start(Keeper())
    with pytest.raises(BusAway):
        await opened.publish(Message("k", b""))
    await opened.stop()
    assert threading.active_count() <= threads
