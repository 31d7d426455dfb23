"""The bus on RabbitMQ, and the only module that imports its client.

A direct exchange spreads the keys over quorum queues. Each queue has one active consumer at a time, whatever the
number of workers, and hands it one message at a time: that keeps the order. A message that kills its consumer
again and again is set aside by the broker itself.
"""

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from faststream import AckPolicy
from faststream.exceptions import FastStreamException
from faststream.rabbit import Channel, ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage

from taskservice.kit.bus import (
    DEAD,
    EXCHANGE,
    GROUP,
    KEY_HEADER,
    REASON_HEADER,
    RETRY_SECONDS,
    BusAway,
    DeadLetter,
    Handler,
    Message,
    away_on,
    dead_letter,
    handle_or_bury,
    partition_of,
    undecoded,
)
from taskservice.kit.ids import new_id
from taskservice.kit.logging import event
from taskservice.kit.settings import BusSettings

log = logging.getLogger(__name__)

DELIVERY_LIMIT = 50  # of a message whose consumer dies before it answers
REPLAY_HEADER = "replay"  # which replay put the message back: one that is refused again ends that replay

_away = partial(away_on, AMQPError, FastStreamException)
_EVENTS = RabbitExchange(EXCHANGE, type=ExchangeType.DIRECT, durable=True)
_DEAD_EXCHANGE = RabbitExchange(DEAD, type=ExchangeType.FANOUT, durable=True)
_DEAD_QUEUE = RabbitQueue(DEAD, queue_type=QueueType.QUORUM)


class RabbitBus:
    """Bus on RabbitMQ 3.10 or later."""

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._broker: RabbitBroker | None = None
        self._connection: AbstractConnection | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def start(self, handler: Handler | None = None) -> None:
        broker = self._new_broker()
        if handler is not None:
            for queue in self._queues():
                subscriber = broker.subscriber(
                    queue,
                    _EVENTS,
                    channel=Channel(prefetch_count=1),
                    ack_policy=AckPolicy.MANUAL,
                    decoder=undecoded,
                    no_reply=True,
                )
                subscriber(self._handling(handler))
        try:
            async with _away():
                connection = await broker.connect()
                await self._declare(broker, () if handler else self._queues())
                await broker.start()
        except BaseException:
            await _stop(broker)
            raise
        self._broker, self._connection = broker, connection

    async def publish(self, message: Message) -> None:
        await self._publish(message.key, message.body, dict(message.headers), _EVENTS)

    async def replay(self, limit: int, *, dry_run: bool) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        replay = new_id()
        # A connection of its own: what is not acknowledged returns to the queue when it closes.
        broker = self._new_broker()
        subscriber = broker.subscriber(_DEAD_QUEUE, ack_policy=AckPolicy.MANUAL, decoder=undecoded)
        try:
            async with _away():
                await broker.start()
            while len(letters) < limit:
                async with _away():
                    message = await subscriber.get_one(timeout=1, no_ack=False)
                if message is None or message.headers.get(REPLAY_HEADER) == replay:
                    break
                letter = _letter(message)
                if not dry_run:
                    await self._publish(letter.key, letter.body, {REPLAY_HEADER: replay}, _EVENTS)
                    async with _away():
                        await message.ack()
                letters.append(letter)
        finally:
            await _stop(broker)
        return letters

    async def stop(self) -> None:
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.bus_graceful_seconds)
        broker, self._broker = self._broker, None
        if broker is None or self._connection is None:
            return
        # The connection first: its end returns what is not acknowledged and lets the next consumer begin, both in
        # one step. A consumer that is cancelled keeps its message while the next one begins with the one behind it.
        await _close(self._connection)
        await _stop(broker)

    def _new_broker(self) -> RabbitBroker:
        return RabbitBroker(
            self._settings.bus_url.get_secret_value(),
            default_channel=Channel(on_return_raises=True),
            reconnect_interval=RETRY_SECONDS,
            timeout=self._settings.bus_timeout_seconds,
            graceful_timeout=self._settings.bus_graceful_seconds,
            logger=log,
            log_level=logging.DEBUG,
        )

    def _queues(self) -> list[RabbitQueue]:
        return [
            RabbitQueue(
                f"{GROUP}.{number}",
                queue_type=QueueType.QUORUM,
                routing_key=str(number),
                arguments={
                    "x-single-active-consumer": True,
                    "x-delivery-limit": DELIVERY_LIMIT,
                    "x-dead-letter-exchange": DEAD,
                },
            )
            for number in range(self._settings.bus_partitions)
        ]

    async def _declare(self, broker: RabbitBroker, queues: Iterable[RabbitQueue]) -> None:
        """Everything that a message may be routed to, before the first one is published.

        A queue that is consumed is declared by its subscriber: the client keeps the channel of the first declaration,
        and only the subscriber's channel takes one message at a time.
        """
        dead = await broker.declare_exchange(_DEAD_EXCHANGE)
        await (await broker.declare_queue(_DEAD_QUEUE)).bind(dead)
        exchange = await broker.declare_exchange(_EVENTS)
        for queue in queues:
            await (await broker.declare_queue(queue)).bind(exchange, routing_key=queue.routing())

    async def _publish(self, key: str, body: bytes, headers: dict[str, Any], exchange: RabbitExchange) -> None:
        if self._broker is None:
            raise BusAway("The bus is not connected.")
        async with _away(), asyncio.timeout(self._settings.bus_timeout_seconds):
            await self._broker.publish(
                body,
                exchange=exchange,
                routing_key=str(partition_of(key, self._settings.bus_partitions)),
                headers=headers | {KEY_HEADER: key},
                content_type="application/json",
                persist=True,
                mandatory=True,
            )

    def _handling(self, handler: Handler) -> Any:
        async def handle(body: bytes, message: RabbitMessage) -> None:
            if self._stopping:
                return  # not acknowledged: it is the next consumer's
            task = asyncio.current_task()
            if task is not None:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            await handle_or_bury(handler, message.body, partial(self._bury, message))
            try:
                await message.ack()
            except (AMQPError, OSError, RuntimeError) as error:
                # It comes again, on the next connection.
                event(log, "bus_ack_failed", logging.WARNING, error=type(error).__name__)

        return handle

    async def _bury(self, message: RabbitMessage, reason: str) -> None:
        letter, headers = _letter(message), {REASON_HEADER: reason}
        if replay := message.headers.get(REPLAY_HEADER):
            headers[REPLAY_HEADER] = str(replay)
        await self._publish(letter.key, letter.body, headers, _DEAD_EXCHANGE)


def _letter(message: RabbitMessage) -> DeadLetter:
    return dead_letter(message.headers, message.body, f"its consumer died {DELIVERY_LIMIT} times")


async def _close(connection: AbstractConnection) -> None:
    try:
        await connection.close()
    except (AMQPError, OSError, RuntimeError) as error:
        event(log, "bus_close_failed", logging.WARNING, error=type(error).__name__)


async def _stop(broker: RabbitBroker) -> None:
    try:
        await broker.stop()
    except (AMQPError, OSError, RuntimeError) as error:
        event(log, "bus_stop_failed", logging.WARNING, error=type(error).__name__)
