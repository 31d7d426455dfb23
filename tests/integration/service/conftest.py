"""The services on real parts: three mongod in a replica set, a redis-server, and the services as processes.

Every part runs on loopback, in a temporary folder, and is ended by its process. A part that this machine
cannot have skips the layer and says why.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskservice.database import INDEXES
from taskservice.kit import mongo
from taskservice.kit.settings import AuthSettings
from testkit.kafka import KafkaServer
from testkit.mongod import PartUnavailable, ReplicaSet
from testkit.rabbitmq import RabbitServer
from testkit.redis_server import RedisServer
from testkit.service_process import Process

P = TypeVar("P")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def _part(make: Callable[[], AbstractContextManager[P]]) -> Iterator[P]:
    """A running part; a machine that cannot have it skips, and says why."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(make())
        except PartUnavailable as reason:
            pytest.skip(str(reason))
        yield running


@pytest.fixture(scope="session")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    with _part(lambda: ReplicaSet(tmp_path_factory.mktemp("mongo"))) as running:
        yield running


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with _part(lambda: RedisServer(tmp_path)) as running:
        yield running


@pytest.fixture
def rabbit_server(tmp_path: Path) -> Iterator[RabbitServer]:
    with _part(lambda: RabbitServer(tmp_path / "rabbitmq")) as running:
        yield running


@pytest.fixture
def kafka_server(tmp_path: Path) -> Iterator[KafkaServer]:
    with _part(lambda: KafkaServer(tmp_path / "kafka")) as running:
        yield running


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def pem() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def database_name() -> str:
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def auth_settings(
    replica_set: ReplicaSet, driver: str, pem: str, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> AuthSettings:
    for name in [name for name in os.environ if name.startswith("TASKSERVICE_")]:
        monkeypatch.delenv(name)
    values: dict[str, Any] = {
        "mongo_url": replica_set.url,
        "mongo_driver": driver,
        "mongo_database": database_name,
        "mongo_timeout_seconds": 15,
        "jwt_private_key": pem,
        "argon2_memory_kib": 8,
        "argon2_time_cost": 1,
    }
    return AuthSettings(**values)


@pytest.fixture
async def database(auth_settings: AuthSettings) -> AsyncIterator[mongo.Mongo]:
    """A database of its own for the test, with every index."""
    connected = mongo.connect(auth_settings)
    await connected.ensure_indexes(INDEXES)
    yield connected
    await connected.drop()
    await connected.close()


StartService = Callable[..., Process]


@pytest.fixture
def start_service(
    replica_set: ReplicaSet, driver: str, pem: str, database_name: str, tmp_path: Path
) -> Iterator[StartService]:
    """`start_service("auth")`, `start_service("tasks", TASKSERVICE_JWKS_URL=…)`: not waited for."""
    started: list[Process] = []
    common = {
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DRIVER": driver,
        "TASKSERVICE_MONGO_DATABASE": database_name,
    }

    def start(command: str, **environment: str) -> Process:
        own = {"TASKSERVICE_JWT_PRIVATE_KEY": pem} if command == "auth" else {}
        process = Process(command, tmp_path, common | own | environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
