"""The services on real parts: three mongod in a replica set, a redis-server, and the services as processes.

Every part runs on loopback, in a temporary folder, and is ended by its process. A part that this machine
cannot have skips the layer and says why.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskservice.auth.repository import INDEXES as USER_INDEXES
from taskservice.kit import mongo
from taskservice.kit.settings import AuthSettings
from taskservice.tasks.repository import INDEXES as TASK_INDEXES
from testkit.mongod import PartUnavailable, ReplicaSet, free_port
from testkit.redis_server import RedisServer


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    try:
        running = ReplicaSet(tmp_path_factory.mktemp("mongo")).__enter__()
    except PartUnavailable as reason:
        pytest.skip(str(reason))
    yield running
    running.__exit__()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    try:
        running = RedisServer(tmp_path).__enter__()
    except PartUnavailable as reason:
        pytest.skip(str(reason))
    yield running
    running.__exit__()


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
    await connected.ensure_indexes(USER_INDEXES | TASK_INDEXES)
    yield connected
    await connected.drop()
    await connected.close()


class Process:
    """One service as the image runs it: `python -m taskservice <command>`."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.port, self.management_port = free_port(), free_port()
        self.log = folder / f"{command}-{self.port}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKSERVICE_")}
        own = {
            "TASKSERVICE_HOST": "127.0.0.1",
            "TASKSERVICE_PORT": str(self.port),
            "TASKSERVICE_MANAGEMENT_PORT": str(self.management_port),
            "TASKSERVICE_REVISION": "rev-1",
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "taskservice", command],
                env=inherited | own | environment,
                stdout=log,
                stderr=log,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def lines(self) -> list[dict[str, Any]]:
        """Every log line; fails if one is not a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_until_ready(self, seconds: float = 60) -> "Process":
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = httpx2.get(f"{self.management_url}/readyz", timeout=2)
                if answer.status_code == 200:
                    return self
                last = answer.text
            except httpx2.HTTPError as error:
                last = repr(error)
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"not ready: {last}\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 40) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


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
