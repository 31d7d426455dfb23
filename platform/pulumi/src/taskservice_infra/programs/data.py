"""Project ``data``: the database, the cache and the broker, each by the provider that the stack file names."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

import pulumi

from taskservice_infra import images, passwords
from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.data.kafka_dev import KafkaDev, KafkaDevArgs
from taskservice_infra.components.data.kafka_operator import KafkaOperator, KafkaOperatorArgs
from taskservice_infra.components.data.mongodb_backup import MongoDbBackup, MongoDbBackupArgs
from taskservice_infra.components.data.mongodb_community import MongoDbCommunity, MongoDbCommunityArgs
from taskservice_infra.components.data.mongodb_dev import ROLES, MongoDbDev, MongoDbDevArgs
from taskservice_infra.components.data.mongodb_percona import MongoDbPercona, MongoDbPerconaArgs
from taskservice_infra.components.data.rabbitmq_dev import RabbitMqDev, RabbitMqDevArgs
from taskservice_infra.components.data.rabbitmq_operator import RabbitMqOperator, RabbitMqOperatorArgs
from taskservice_infra.components.data.redis_chart import RedisChart, RedisChartArgs
from taskservice_infra.components.data.redis_dev import RedisDev, RedisDevArgs
from taskservice_infra.components.data.redis_sentinel import RedisSentinel, RedisSentinelArgs
from taskservice_infra.config import data as config
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.data import DataOutputs
from taskservice_infra.contracts.exchange import publish, read
from taskservice_infra.local_machine import LocalMachine, ThisMachine

NAMESPACE = "data"


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when settings or images cannot be had."""
    settings = from_engine(config.DataSettings, "data")
    DataProgram(settings, machine or ThisMachine()).declare()


class DataProgram:
    """One run: settings, the machine, and the options that put components into the cluster."""

    def __init__(self, settings: config.DataSettings, machine: LocalMachine) -> None:
        self.settings = settings
        self.machine = machine

    def declare(self) -> None:
        """Declare all resources and publish the outputs."""
        self.options = on(cluster_provider(read(ClusterOutputs)))
        mongodb = self._mongodb()
        publish(
            DataOutputs(
                mongodb_url=mongodb["taskservice"],
                redis_url=self._redis(),
                bus_url=self._broker(),
                mongodb_backup_url=mongodb.get("backup", pulumi.Output.from_input(None)),
                mongodb_vault_url=mongodb.get("vault", pulumi.Output.from_input(None)),
            )
        )

    def _mongodb(self) -> dict[str, pulumi.Output[str]]:
        match self.settings.mongodb:
            case config.MongoDbDev() as settings:
                args = MongoDbDevArgs(
                    namespace=NAMESPACE,
                    settings=settings,
                    image=self._image(settings.image),
                    init_image=self._image(settings.init_image),
                    init_script=(Path(self.machine.chart("taskservice-app")) / "files" / "mongo_init.py").read_text(),
                    keyfile=self._password("mongodb/keyfile", 128),
                    passwords={user: self._password(f"mongodb/{user}") for user in ROLES},
                )
                mongodb = MongoDbDev("mongodb", args, self.options)
                if settings.backup:
                    self._backup(settings.backup, mongodb)
                return mongodb.urls
            case config.MongoDbPercona() as settings:
                password = self._password("mongodb/taskservice")
                args = MongoDbPerconaArgs(namespace=NAMESPACE, settings=settings, password=password)
                return MongoDbPercona("mongodb", args, self.options).urls
            case config.MongoDbCommunity() as settings:
                password = self._password("mongodb/taskservice")
                args = MongoDbCommunityArgs(namespace=NAMESPACE, settings=settings, password=password)
                return MongoDbCommunity("mongodb", args, self.options).urls
            case config.MongoDbExternal() as settings:
                return {"taskservice": _secret(settings)}
            case unknown:
                assert_never(unknown)

    def _redis(self) -> pulumi.Output[str]:
        match self.settings.redis:
            case config.RedisDev() as settings:
                image, password = self._image(settings.image), self._password("redis/admin")
                args = RedisDevArgs(namespace=NAMESPACE, settings=settings, image=image, password=password)
                return RedisDev("redis", args, self.options).url
            case config.RedisChart() as settings:
                args = RedisChartArgs(namespace=NAMESPACE, settings=settings, password=self._password("redis/admin"))
                return RedisChart("redis", args, self.options).url
            case config.RedisSentinel() as settings:
                args = RedisSentinelArgs(namespace=NAMESPACE, settings=settings, password=self._password("redis/admin"))
                return RedisSentinel("redis", args, self.options).url
            case config.RedisExternal() as settings:
                return _secret(settings)
            case unknown:
                assert_never(unknown)

    def _broker(self) -> pulumi.Output[str]:
        match self.settings.broker:
            case config.RabbitMqDev() as settings:
                image, password = self._image(settings.image), self._password("rabbitmq/admin")
                args = RabbitMqDevArgs(namespace=NAMESPACE, settings=settings, image=image, password=password)
                return RabbitMqDev("rabbitmq", args, self.options).url
            case config.RabbitMqOperator() as settings:
                args = RabbitMqOperatorArgs(
                    namespace=NAMESPACE, settings=settings, password=self._password("rabbitmq/admin")
                )
                return RabbitMqOperator("rabbitmq", args, self.options).url
            case config.KafkaDev() as settings:
                args = KafkaDevArgs(namespace=NAMESPACE, settings=settings, image=self._image(settings.image))
                return KafkaDev("kafka", args, self.options).url
            case config.KafkaOperator() as settings:
                return KafkaOperator(
                    "kafka", KafkaOperatorArgs(namespace=NAMESPACE, settings=settings), self.options
                ).url
            case config.RabbitMqExternal() | config.KafkaExternal() as settings:
                return _secret(settings)
            case unknown:
                assert_never(unknown)

    def _image(self, reference: str) -> str:
        return images.resolve(reference, self.machine)

    def _backup(self, settings: config.MongoDbBackup, mongodb: MongoDbDev) -> None:
        MongoDbBackup(
            "mongodb-backup",
            MongoDbBackupArgs(
                namespace=NAMESPACE,
                settings=settings,
                image=self._image(settings.image),
                url=mongodb.urls["backup"],
                restore_url=mongodb.internal_url,
            ),
            self.options,
        )

    def _password(self, name: str, length: int = 32) -> pulumi.Output[str]:
        seed = self.settings.seed
        assert seed is not None  # noqa: S101 - settings demand one where a password is derived
        return pulumi.Output.secret(passwords.derive(seed.get_secret_value(), name, length=length))


def _secret(external: config.External) -> pulumi.Output[str]:
    return pulumi.Output.secret(external.url.get_secret_value())
