"""The services without I/O: `create_app` as in production, with the in-memory adapters of the package.

Mocked: the stores, the clock. Not mocked: routing, validation, tokens, hashing (with cheap parameters),
problem documents, metrics. Nothing here opens a socket.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI

from taskservice.activity.repository import ActivityLog, MemoryActivity
from taskservice.auth import app as auth_app
from taskservice.auth.lockout import MemoryFailures
from taskservice.auth.repository import MemoryUsers
from taskservice.auth.sessions import MemorySessions
from taskservice.directory.cache import CardCache, NullCardCache
from taskservice.kit.app import Runtime
from taskservice.kit.denylist import MemoryDenylist
from taskservice.kit.idempotency import MemoryAnswers
from taskservice.kit.ids import new_id
from taskservice.kit.jwt import Issuer, SigningKey, StaticKeys
from taskservice.kit.limits import Counter, NoCounter
from taskservice.kit.settings import AuthSettings, TasksSettings
from taskservice.tasks import app as tasks_app
from taskservice.tasks.cache import ListCache, NullListCache
from taskservice.tasks.directory import Directory, MemoryDirectory, UserCard
from taskservice.tasks.memory import MemoryTasks
from taskservice.tasks.repository import TaskRepository

ISSUER = "taskservice-auth"
AUDIENCE = "taskservice"
USERS = MemoryDirectory(
    *(
        UserCard(id=name, display_name=name.title(), email=f"{name}@example.com")
        for name in ("ann", "bob", "carl", "eve")
    )
)


class Clock:
    """Now, until it is set to something else."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Service:
    """An app under test with a client that speaks to it."""

    app: FastAPI
    runtime: Runtime
    client: httpx2.AsyncClient
    clock: Clock = field(default_factory=Clock)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TASKSERVICE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="session")
def key(pem: bytes) -> SigningKey:
    return SigningKey.from_pem(pem)


@pytest.fixture
def auth_settings(pem: bytes) -> Callable[..., AuthSettings]:
    def build(**changes: Any) -> AuthSettings:
        values: dict[str, Any] = {
            "mongo_url": "mongodb://unused",
            "jwt_private_key": pem.decode(),
            "argon2_memory_kib": 8,
            "argon2_time_cost": 1,
            "revision": "r1",
        }
        return AuthSettings(**values | changes)

    return build


@pytest.fixture
def tasks_settings() -> Callable[..., TasksSettings]:
    def build(**changes: Any) -> TasksSettings:
        values: dict[str, Any] = {
            "mongo_url": "mongodb://unused",
            "jwks_url": "http://unused/jwks.json",
            "revision": "r1",
        }
        return TasksSettings(**values | changes)

    return build


@asynccontextmanager
async def _running(app: FastAPI, runtime: Runtime, clock: Clock) -> AsyncIterator[Service]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield Service(app, runtime, client, clock)


@pytest.fixture
def run_auth(auth_settings: Callable[..., AuthSettings]) -> Callable[..., Any]:
    """`async with run_auth(setting=…) as service`; nothing is limited without a counter."""

    @asynccontextmanager
    async def run(
        counter: Callable[[], Counter] = NoCounter, cards: CardCache | None = None, **changes: Any
    ) -> AsyncIterator[Service]:
        @asynccontextmanager
        async def open_adapters(*_: object) -> AsyncIterator[auth_app.Adapters]:
            stores = (MemoryUsers(), MemorySessions(), MemoryFailures(), MemoryDenylist())
            yield auth_app.Adapters(*stores, cards or NullCardCache(), counter())

        settings, clock = auth_settings(**changes), Clock()
        runtime = Runtime.of("auth", settings)
        app = auth_app.create_app(settings, runtime, open_adapters=open_adapters, now=clock)
        async with _running(app, runtime, clock) as service:
            yield service

    return run


@pytest.fixture
def run_tasks(key: SigningKey, tasks_settings: Callable[..., TasksSettings]) -> Callable[..., Any]:
    """`async with run_tasks(repository=…, cache=…, directory=…, activity=…, setting=…) as service`."""

    @asynccontextmanager
    async def run(
        repository: TaskRepository | None = None,
        cache: ListCache | None = None,
        directory: Directory | None = None,
        activity: ActivityLog | None = None,
        **changes: Any,
    ) -> AsyncIterator[Service]:
        @asynccontextmanager
        async def open_adapters(*_: object) -> AsyncIterator[tasks_app.Adapters]:
            keys = StaticKeys({key.kid: key.private.public_key()})
            answers = MemoryAnswers()
            tasks = repository or MemoryTasks(answers=answers)
            lists, known = cache or NullListCache(), directory or USERS
            log = activity or MemoryActivity()
            yield tasks_app.Adapters(tasks, answers, log, known, lists, keys, MemoryDenylist())

        settings, clock = tasks_settings(**changes), Clock()
        runtime = Runtime.of("tasks", settings)
        app = tasks_app.create_app(settings, runtime, open_adapters=open_adapters, now=clock)
        async with _running(app, runtime, clock) as service:
            yield service

    return run


@pytest.fixture
async def auth(run_auth: Callable[..., Any]) -> AsyncIterator[Service]:
    async with run_auth() as service:
        yield service


@pytest.fixture
async def tasks(run_tasks: Callable[..., Any]) -> AsyncIterator[Service]:
    async with run_tasks() as service:
        yield service


@pytest.fixture
def bearer(key: SigningKey) -> Callable[..., dict[str, str]]:
    """Request headers of a user, whose token is signed as auth would: `bearer("eve", "admin")`."""

    def build(user_id: str, *roles: str) -> dict[str, str]:
        token = Issuer(key, ISSUER, AUDIENCE, 600).issue(user_id, new_id(), datetime.now(UTC), roles)
        return {"Authorization": f"Bearer {token}"}

    return build
