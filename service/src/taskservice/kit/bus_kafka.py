"""The bus on Kafka, and the only module that imports its client.

One topic; the key decides the partition, a partition has one consumer of the group, and its offset is committed after
the handler. Topics are made when they are missing; their number of partitions is never changed here.
"""

import asyncio
import logging
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aiokafka import TopicPartition as Partition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from faststream import AckPolicy
from faststream.exceptions import FastStreamException
from faststream.kafka import KafkaBroker, TopicPartition
from faststream.kafka.annotations import KafkaMessage

from taskservice.kit.bus import (
    DEAD,
    EXCHANGE,
    GROUP,
    KEY_HEADER,
    REASON_HEADER,
    BusAway,
    DeadLetter,
    Handler,
    Message,
    away_on,
    dead_letter,
    handle_or_bury,
    undecoded,
)
from taskservice.kit.logging import event
from taskservice.kit.settings import BusSettings

log = logging.getLogger(__name__)

REPLAY_GROUP = f"{DEAD}.replay"
_away = partial(away_on, KafkaError, FastStreamException)


class KafkaBus:
    """Bus on Kafka 3 or later."""

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._servers = urlsplit(settings.bus_url.get_secret_value()).netloc.rpartition("@")[2].split(",")
        self._milliseconds = int(settings.bus_timeout_seconds * 1000)
        self._broker: KafkaBroker | None = None

    async def start(self, handler: Handler | None = None) -> None:
        broker = self._new_broker()
        if handler is not None:
            subscriber = broker.subscriber(
                EXCHANGE,
                group_id=GROUP,
                auto_offset_reset="earliest",
                ack_policy=AckPolicy.MANUAL,
                decoder=undecoded,
                no_reply=True,
                # Consumers of the group within this process: partitions are handled side by side.
                max_workers=self._settings.bus_workers,
            )
            subscriber(self._handling(handler))
        try:
            async with _away():
                await self._declare()
                await broker.start()
        except BaseException:
            await _stop(broker)
            raise
        self._broker = broker

    async def publish(self, message: Message) -> None:
        await self._publish(message.key, message.body, dict(message.headers), EXCHANGE)

    async def replay(self, limit: int, *, dry_run: bool) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        broker = self._new_broker()
        subscriber = broker.subscriber(
            partitions=[TopicPartition(DEAD, 0)],
            group_id=REPLAY_GROUP,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            decoder=undecoded,
        )
        try:
            async with _away():
                await broker.start()
                consumer, partition = subscriber.consumer, Partition(DEAD, 0)
                if consumer is None:
                    raise TimeoutError
                end = (await consumer.end_offsets([partition]))[partition]
            while len(letters) < limit:
                async with _away():
                    if await consumer.position(partition) >= end:
                        break
                    message = await subscriber.get_one(timeout=self._settings.bus_timeout_seconds)
                    if message is None:
                        raise TimeoutError
                letter = _letter(message)
                if not dry_run:
                    await self._publish(letter.key, letter.body, {}, EXCHANGE)
                    async with _away():
                        await message.ack()
                letters.append(letter)
        finally:
            await _stop(broker)
        return letters

    async def stop(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            await _stop(broker)

    def _new_broker(self) -> KafkaBroker:
        return KafkaBroker(
            self._servers,
            acks="all",
            request_timeout_ms=self._milliseconds,
            metadata_max_age_ms=10_000,
            allow_auto_create_topics=False,
            graceful_timeout=self._settings.bus_graceful_seconds,
            logger=log,
            log_level=logging.DEBUG,
        )

    async def _declare(self) -> None:
        replicas = self._settings.bus_replicas
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=self._milliseconds)
        try:
            await admin.start()
            wanted = [NewTopic(EXCHANGE, self._settings.bus_partitions, replicas), NewTopic(DEAD, 1, replicas)]
            answer: Any = await admin.create_topics(wanted)
        finally:
            await admin.close()
        for topic, code, *_ in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(topic)

    async def _publish(self, key: str, body: bytes, headers: dict[str, str], topic: str) -> None:
        if self._broker is None:
            raise BusAway("The bus is not connected.")
        async with _away(), asyncio.timeout(self._settings.bus_timeout_seconds):
            await self._broker.publish(body, topic, key=key.encode(), headers=headers | {KEY_HEADER: key})

    def _handling(self, handler: Handler) -> Any:
        async def handle(body: bytes, message: KafkaMessage) -> None:
            await handle_or_bury(handler, message.body, partial(self._bury, message))
            try:
                await message.ack()
            except KafkaError as error:
                # The partition has moved: what was handled here comes again, to its new consumer.
                event(log, "bus_ack_failed", logging.WARNING, error=type(error).__name__)

        return handle

    async def _bury(self, message: KafkaMessage, reason: str) -> None:
        letter = _letter(message)
        await self._publish(letter.key, letter.body, {REASON_HEADER: reason}, DEAD)


def _letter(message: KafkaMessage) -> DeadLetter:
    return dead_letter(message.headers, message.body, "unknown")


async def _stop(broker: KafkaBroker) -> None:
    try:
        await broker.stop()
    except (KafkaError, OSError, RuntimeError) as error:
        event(log, "bus_stop_failed", logging.WARNING, error=type(error).__name__)
