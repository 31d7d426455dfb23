"""Project ``data``: which database, cache and broker, and how large; each with a provider of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from taskservice_infra.config.settings import MISSING_SEED, Settings
from taskservice_infra.images import ImageReference
from taskservice_infra.passwords import SEED_LENGTH

Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?$")]
"""A quantity as Kubernetes writes it: ``500m``, ``10Gi``."""


def _has_a_majority(members: int) -> int:
    if members < 3 or members % 2 == 0:
        raise ValueError(
            f"{members} members cannot lose one and keep a majority for its cost; use 3, 5 or 7 for high availability"
        )
    return members


Majority = Annotated[int, Field(le=7), AfterValidator(_has_a_majority)]
"""Members of something that votes: 3, 5 or 7."""


class Storage(Settings):
    """A volume of each member; without ``size`` data lives as long as its pod, on the node's disk."""

    size: Quantity | None = None
    class_name: str | None = None


class Durable(Settings):
    """A volume of each member that outlives pods."""

    size: Quantity = "20Gi"
    class_name: str | None = None


Schedule = Annotated[str, StringConstraints(pattern=r"^(@(hourly|daily|weekly|monthly)|\S+( \S+){4})$")]
"""When a CronJob runs: five fields as in cron, or ``@daily``."""


class MongoDbBackup(Settings):
    """When dumps are made, and how many are kept: the newest, and one of each of the last days."""

    image: ImageReference = "local:keeper"
    schedule: Schedule = "37 */6 * * *"
    keep: int = Field(default=8, ge=1, le=1000)
    keep_days: int = Field(default=14, ge=0, le=1000)
    memory: Quantity = "512Mi"
    storage: Durable = Durable(size="20Gi")


class MongoDbDev(Settings):
    """Three mongod with authentication, for development: no encryption on the wire, backups on a volume beside them."""

    provider: Literal["dev"]
    image: ImageReference = "local:mongod"
    init_image: ImageReference = "local:service"
    """Has Python and pymongo: it makes one replica set of the members, and the users."""
    replicas: Majority = 3
    cache_size_gb: float = Field(0.25, ge=0.25, le=64)
    oplog_size_mb: int = Field(64, ge=64)
    memory: Quantity = "768Mi"
    storage: Storage = Storage()
    backup: MongoDbBackup | None = MongoDbBackup()
    """``null``: none is made."""


class External(Settings):
    """One that somebody else runs; ``url`` is secret: ``pulumi config set --secret --path data:<name>.url``."""

    provider: Literal["external"]
    url: SecretStr


class Backup(Settings):
    """Backups to an object store, with point-in-time recovery between them."""

    bucket: str
    region: str
    secret: str
    """Name of a Secret in namespace ``data`` with the store's credentials."""
    schedule: str = "0 2 * * *"
    keep: int = Field(14, ge=1)
    point_in_time: bool = True


class MongoDbPercona(Settings):
    """MongoDB by Percona's operator, for production."""

    provider: Literal["percona"]
    image: ImageReference | None = None
    replicas: Majority = 3
    cpu: Quantity = "500m"
    memory: Quantity = "2Gi"
    storage: Durable = Durable()
    backup: Backup | None = None


class MongoDbCommunity(Settings):
    """MongoDB by MongoDB's operator, community edition: no backups of its own."""

    provider: Literal["community"]
    version: str | None = None
    replicas: Majority = 3
    cpu: Quantity = "500m"
    memory: Quantity = "2Gi"
    storage: Durable = Durable()


class MongoDbExternal(External):
    """A MongoDB that somebody else runs, Atlas for example."""


class RedisDev(Settings):
    """One Redis that keeps nothing, for development."""

    provider: Literal["dev"]
    image: ImageReference = "local:redis"
    program: Literal["redis-server", "valkey-server"] = "redis-server"
    max_memory: str = "64mb"
    memory: Quantity = "128Mi"


class RabbitMqDev(Settings):
    """One RabbitMQ, for development; without storage, a new pod begins empty."""

    provider: Literal["dev"]
    image: ImageReference = "local:rabbitmq"
    max_memory: str = "256MB"
    """Above it, publishing halts until messages were handled."""
    memory: Quantity = "512Mi"
    storage: Storage = Storage()


class KafkaDev(Settings):
    """One Kafka without users, for development; without storage, a new pod begins empty."""

    provider: Literal["dev"]
    image: ImageReference = "local:kafka"
    heap_mb: int = Field(256, ge=128, le=16384)
    memory: Quantity = "768Mi"
    """Of the pod: the heap and what Java needs besides."""
    storage: Storage = Storage()


class RedisChart(Settings):
    """Valkey by its own chart: ``replicas`` counts the primary; nobody takes the place of one that is lost."""

    provider: Literal["chart"]
    replicas: int = Field(2, ge=1, le=6)
    memory: Quantity = "512Mi"
    storage: Durable = Durable(size="2Gi")


class RedisSentinel(Settings):
    """Redis by the redis-operator, with Sentinel: for high availability."""

    provider: Literal["sentinel"]
    image: ImageReference = "quay.io/opstree/redis:v7.2.13"
    sentinel_image: ImageReference = "quay.io/opstree/redis-sentinel:v7.2.13"
    replicas: int = Field(3, ge=2, le=6)
    sentinels: Majority = 3
    memory: Quantity = "512Mi"
    storage: Durable = Durable(size="2Gi")


class RabbitMqOperator(Settings):
    """RabbitMQ by RabbitMQ's operator: quorum queues need a majority."""

    provider: Literal["operator"]
    manifest: str | None = None
    """Address of the operator's manifest, of a mirror for example."""
    replicas: Majority = 3
    cpu: Quantity = "500m"
    memory: Quantity = "2Gi"
    storage: Durable = Durable(size="10Gi")


class KafkaOperator(Settings):
    """Kafka by Strimzi; its controllers need a majority."""

    provider: Literal["operator"]
    version: str | None = None
    replicas: Majority = 3
    cpu: Quantity = "500m"
    memory: Quantity = "2Gi"
    storage: Durable = Durable()


class RedisExternal(External):
    """A Redis or Valkey that somebody else runs: ``redis://`` or ``rediss://``."""


class RabbitMqExternal(External):
    """A RabbitMQ that somebody else runs: ``amqp://`` or ``amqps://``."""


class KafkaExternal(External):
    """A Kafka that somebody else runs: ``kafka://host:9092,host:9092``."""


MongoDb = Annotated[MongoDbDev | MongoDbPercona | MongoDbCommunity | MongoDbExternal, Field(discriminator="provider")]
Redis = Annotated[RedisDev | RedisChart | RedisSentinel | RedisExternal, Field(discriminator="provider")]
RabbitMq = Annotated[RabbitMqDev | RabbitMqOperator | RabbitMqExternal, Field(discriminator="provider")]
Kafka = Annotated[KafkaDev | KafkaOperator | KafkaExternal, Field(discriminator="provider")]


class DataSettings(Settings):
    """All of ``data:``.  ``seed``: what passwords are derived from; ``make up`` makes one for the local stack.

    There is one broker: RabbitMQ or Kafka.
    """

    seed: SecretStr | None = Field(None, min_length=SEED_LENGTH)
    mongodb: MongoDb
    redis: Redis
    rabbitmq: RabbitMq | None = None
    kafka: Kafka | None = None

    @property
    def broker(self) -> RabbitMqDev | RabbitMqOperator | RabbitMqExternal | KafkaDev | KafkaOperator | KafkaExternal:
        """The one broker that there is."""
        found = self.rabbitmq or self.kafka
        assert found is not None  # noqa: S101 - see _has_one_broker
        return found

    @model_validator(mode="after")
    def _has_one_broker(self) -> Self:
        if (self.rabbitmq is None) == (self.kafka is None):
            raise ValueError("rabbitmq: name one broker, here or as data:kafka, and not both")
        return self

    @model_validator(mode="after")
    def _has_a_seed(self) -> Self:
        given = [each for each in (self.mongodb, self.redis, self.rabbitmq) if each is not None]
        if self.seed is None and any(each.provider != "external" for each in given):
            raise ValueError(MISSING_SEED.format(project="data"))
        return self
