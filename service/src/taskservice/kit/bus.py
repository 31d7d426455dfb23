"""The bus that events travel on, as a port: RabbitMQ or Kafka, chosen by TASKSERVICE_BUS_URL.

Both adapters promise the same: a published message is on stable storage when `publish` returns; messages with
one key are handled one after the other, in the order of publishing; a message is done with only after its handler
has returned, and comes again when the process dies before. So it may be handled more than once.
"""

import asyncio
import importlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from taskservice.kit.errors import Unavailable
from taskservice.kit.settings import BusSettings, SettingsError

EXCHANGE = "taskservice.events"  # the exchange, or the topic
GROUP = "taskservice.worker"  # the queues of one kind of consumer, or its group
DEAD = f"{GROUP}.dead"  # what could not be handled

KEY_HEADER, REASON_HEADER = "subject", "dead-reason"
LONGEST_REASON = 500
RETRY_SECONDS = 1.0

ADAPTERS = {
    "amqp": "taskservice.kit.bus_rabbitmq:RabbitBus",
    "amqps": "taskservice.kit.bus_rabbitmq:RabbitBus",
    "kafka": "taskservice.kit.bus_kafka:KafkaBus",
}


class BusAway(Unavailable):
    """The broker did not confirm in time; the message may or may not be there."""


class Rejected(Exception):
    """Raised by a handler for a message that it can never handle; the text goes with it to the dead letters."""


@dataclass(frozen=True)
class Message:
    """Bytes and the key that orders them. Headers are for people and tools: nothing is decided by them."""

    key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeadLetter:
    """A message that was set aside, and why."""

    key: str
    body: bytes
    reason: str


Handler = Callable[[bytes], Awaitable[None]]


class Bus(Protocol):
    """A connection to the broker. It restores itself after `start` has worked once."""

    async def start(self, handler: Handler | None = None) -> None:
        """Connects, makes queues or topics, and begins to handle. May be called again when it failed.

        Raises BusAway. The handler must not raise anything but Rejected.
        """
        ...

    async def publish(self, message: Message) -> None:
        """Returns when the broker has stored the message. Raises BusAway."""
        ...

    async def replay(self, limit: int, *, dry_run: bool) -> list[DeadLetter]:
        """Puts up to `limit` dead letters back, oldest first, each removed once it is stored; returns them.

        With `dry_run` they stay. For a started bus without a handler. Raises BusAway.
        """
        ...

    async def stop(self) -> None:
        """Waits a while for handlers that are running, and disconnects."""
        ...


def connect(settings: BusSettings) -> Bus:
    """The adapter for the configured broker; nothing is sent yet. Raises SettingsError."""
    try:
        parts = urlsplit(settings.bus_url.get_secret_value())
        scheme = parts.scheme if parts.hostname else ""
    except ValueError:
        scheme = ""
    if scheme not in ADAPTERS:
        raise SettingsError(
            "TASKSERVICE_BUS_URL is not a usable broker address; it looks like amqp://user:password@host:5672/"
            " or kafka://host:9092,host:9092."
        )
    module, _, name = ADAPTERS[scheme].partition(":")
    # Imported late: the client that is not used costs neither memory nor start-up time.
    return getattr(importlib.import_module(module), name)(settings)


def partition_of(key: str, partitions: int) -> int:
    """Which of the partitions a key belongs to; the same in every process and version."""
    return zlib.crc32(key.encode()) % partitions


# What the adapters share.


async def undecoded(message: Any) -> bytes:
    """Bytes as they came: whether they mean something is for the handler to say."""
    return message.body


def dead_letter(headers: Mapping[str, Any], body: bytes, otherwise: str) -> DeadLetter:
    """The dead letter of a message with these headers; `otherwise` is the reason of one that names none."""
    return DeadLetter(str(headers.get(KEY_HEADER, "")), body, str(headers.get(REASON_HEADER) or otherwise))


async def handle_or_bury(handler: Handler, body: bytes, bury: Callable[[str], Awaitable[None]]) -> None:
    """Handles a message; one that is rejected is stored among the dead letters, however long that takes.

    Only when this has returned the message may be acknowledged. `bury` takes the reason and may raise BusAway.
    """
    try:
        await handler(body)
    except Rejected as rejected:
        reason = str(rejected)[:LONGEST_REASON]
        while True:
            try:
                return await bury(reason)
            except BusAway:
                await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def away_on(*errors: type[Exception]) -> AsyncIterator[None]:
    """Raises BusAway in place of these errors of a client, and of a network that does not answer.

    Clients raise RuntimeError for a channel or consumer that is closed or being restored.
    """
    try:
        yield
    except (*errors, OSError, TimeoutError, RuntimeError) as error:
        raise BusAway("The broker did not answer in time.") from error
