"""The only door to MongoDB, and with `mongo_pool` the only module that imports a driver.

Repositories get `Collection`, the part of the API that motor and PyMongo Async have in common, so that
`TASKSERVICE_MONGO_DRIVER` picks the driver at run time (motor is supported until 2027-05-14). Writes are
majority-acknowledged and retried by the driver within one deadline, which rides out an election.
"""

import asyncio
import importlib
import inspect
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pymongo
from pymongo import ASCENDING, DESCENDING, HASHED, IndexModel, ReturnDocument
from pymongo.errors import ConfigurationError, DuplicateKeyError, OperationFailure, PyMongoError

from taskservice.kit.errors import Unavailable
from taskservice.kit.metrics import Metrics
from taskservice.kit.mongo_pool import PoolMetrics
from taskservice.kit.settings import Settings, SettingsError

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "HASHED",
    "Collection",
    "Cursor",
    "Document",
    "DuplicateKeyError",
    "Index",
    "Mongo",
    "NotSharded",
    "ReturnDocument",
    "Session",
    "ShardKeys",
    "Taken",
    "Transactions",
    "claiming",
    "connect",
    "translated",
]

Document = dict[str, Any]
Update = Document | list[Document]  # operators, or a pipeline
T = TypeVar("T")

Keys = tuple[tuple[str, int | str], ...]
"""Members in order, each with its direction, or HASHED."""
ShardKeys = Mapping[str, Keys]
"""By collection, what a sharded cluster spreads it by. Every frequent query names the first member of it."""

WRITE_CONFLICT = 112
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.5  # between attempts of a transaction, as the drivers' specification has them
ABORT_SECONDS = 2.0


class Session(Protocol):
    """A transaction that is under way; pass it to every operation that belongs to it."""

    @property
    def in_transaction(self) -> bool: ...


class Transactions(Protocol):
    """Whatever can run a piece of work so that all of it happens or nothing."""

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T: ...


class Cursor(Protocol):
    """A query under construction."""

    def sort(self, key_or_list: Any, direction: Any = ...) -> "Cursor": ...
    def hint(self, index: str) -> "Cursor": ...
    def limit(self, limit: int) -> "Cursor": ...
    async def to_list(self, length: int | None = ...) -> list[Document]: ...
    async def explain(self) -> Document: ...


class Collection(Protocol):
    """What a repository may do with its collection."""

    async def insert_one(self, document: Document, *, session: Session | None = ...) -> Any: ...
    async def insert_many(self, documents: list[Document], *, session: Session | None = ...) -> Any: ...
    async def find_one(self, filter: Document, *, session: Session | None = ...) -> Document | None: ...
    def find(self, filter: Document, *, session: Session | None = ...) -> Cursor: ...
    async def find_one_and_update(
        self,
        filter: Document,
        update: Update,
        *,
        return_document: bool,
        upsert: bool = ...,
        session: Session | None = ...,
    ) -> Document | None: ...
    async def update_one(
        self, filter: Document, update: Update, *, upsert: bool = ..., session: Session | None = ...
    ) -> Any: ...
    async def update_many(self, filter: Document, update: Update, *, session: Session | None = ...) -> Any: ...
    async def delete_one(self, filter: Document, *, session: Session | None = ...) -> Any: ...
    async def delete_many(self, filter: Document, *, session: Session | None = ...) -> Any: ...
    async def count_documents(self, filter: Document, *, limit: int = ..., hint: str = ...) -> int: ...
    async def create_indexes(self, indexes: list[IndexModel]) -> list[str]: ...
    async def drop_index(self, index_or_name: str) -> None: ...
    async def index_information(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Index:
    """One index: keys in order, each with its direction. `partial` limits it to the documents that match."""

    name: str
    keys: Keys
    unique: bool = False
    expire_after_seconds: int | None = None
    partial: Mapping[str, Any] | None = None

    def model(self) -> IndexModel:
        """The index as the driver wants it."""
        options: dict[str, Any] = {"name": self.name, "unique": self.unique}
        if self.expire_after_seconds is not None:
            options["expireAfterSeconds"] = self.expire_after_seconds
        if self.partial is not None:
            options["partialFilterExpression"] = dict(self.partial)
        return IndexModel(list(self.keys), **options)


class Taken(Exception):
    """Another transaction has written the same key, or is about to."""


class NotSharded(Exception):
    """The address is not that of a mongos; the text says what is there and what to do."""


@asynccontextmanager
async def claiming() -> AsyncIterator[None]:
    """Around an insert that must be the only one with its key: raises Taken, also while the other is not committed."""
    try:
        yield
    except OperationFailure as error:
        if isinstance(error, DuplicateKeyError) or error.code == WRITE_CONFLICT:
            raise Taken from error
        raise


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turns a driver's failure into `Unavailable`. A duplicate key passes: it is an answer, not a failure."""
    try:
        yield
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        raise Unavailable("The database did not answer in time.") from error


class Mongo:
    """One client of one database; `connect` makes it, inside a running event loop."""

    def __init__(self, client: Any, database: str, transaction_seconds: float) -> None:
        self._client = client
        self._database = client[database]
        self._transaction_seconds = transaction_seconds

    def collection(self, name: str) -> Collection:
        return self._database[name]

    async def ping(self) -> None:
        """Raises when no primary answers."""
        await self._client.admin.command("ping")

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Runs the work in a transaction, again if the database asks for it, within the time of one operation.

        The work may run several times: it must do nothing that cannot be undone but through its session. What it
        raises undoes the transaction and gets out as it is; a failing database is Unavailable. The drivers have
        this loop too, but motor's goes on for two minutes, and without a pause.
        """
        deadline = time.monotonic() + self._transaction_seconds
        pause = FIRST_PAUSE
        async with translated(), await _resolved(self._client.start_session()) as session:
            while True:
                try:
                    with pymongo.timeout(max(deadline - time.monotonic(), 0.001)):
                        await _resolved(session.start_transaction())
                        result = await work(session)
                        await _commit(session, deadline)
                        return result
                except Exception as error:
                    await _abort(session)
                    if not _transient(error):
                        raise
                    nap = random.random() * pause  # noqa: S311 - spreads writers that collide, keeps no secret
                    if time.monotonic() + nap >= deadline:
                        raise
                    await asyncio.sleep(nap)
                    pause = min(pause * 1.5, LONGEST_PAUSE)
                except BaseException:
                    await _abort(session)
                    raise

    async def ensure_indexes(self, wanted: Mapping[str, Sequence[Index]]) -> list[str]:
        """Creates what is missing and returns the names of all; the same call twice changes nothing."""
        names: list[str] = []
        for collection, indexes in wanted.items():
            models = [index.model() for index in indexes]
            names += [f"{collection}.{name}" for name in await self.collection(collection).create_indexes(models)]
        return names

    async def shard(self, keys: ShardKeys) -> list[str]:
        """Spreads collections over the shards of a cluster and returns their names; twice changes nothing.

        Raises NotSharded on anything but a mongos.
        """
        await self.require_mongos()
        for collection, key in keys.items():
            await self.collection(collection).create_indexes([IndexModel(list(key))])
            await self._client.admin.command(shard_command(self._database.name, collection, key))
        return [f"{collection} by {', '.join(name for name, _ in key)}" for collection, key in keys.items()]

    async def require_mongos(self) -> None:
        """Raises NotSharded on anything but a mongos."""
        hello = await self._client.admin.command("hello")
        if hello.get("msg") != "isdbgrid":
            kind = f"the replica set {hello['setName']}" if "setName" in hello else "a single server"
            raise NotSharded(
                f"TASKSERVICE_MONGO_URL leads to {kind}: give the address of a mongos, or leave out --shard."
            )

    async def drop_indexes(self, unwanted: Mapping[str, Sequence[str]]) -> list[str]:
        """Removes those indexes that are there, and returns their names."""
        dropped: list[str] = []
        for name, indexes in unwanted.items():
            there = await self.collection(name).index_information()
            for index in there.keys() & set(indexes):
                await self.collection(name).drop_index(index)
                dropped.append(f"{name}.{index}")
        return dropped

    async def drop(self) -> None:
        """Removes the whole database. For tests."""
        await self._client.drop_database(self._database.name)

    async def close(self) -> None:
        closing = self._client.close()
        if closing is not None:
            await closing


def shard_command(database: str, collection: str, key: Keys) -> Document:
    """What asks a mongos to spread a collection."""
    return {"shardCollection": f"{database}.{collection}", "key": dict(key)}


def _transient(error: Exception) -> bool:
    """Whether the database asks to run the transaction again; also when a repository has translated that."""
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    return isinstance(cause, PyMongoError) and cause.has_error_label("TransientTransactionError")


async def _resolved(value: Any) -> Any:
    """Awaits what one driver returns as it is and the other as an awaitable."""
    return await value if inspect.isawaitable(value) else value


async def _commit(session: Any, deadline: float) -> None:
    """Commits, again while it is not known whether that worked: a second commit of the same one changes nothing."""
    while True:
        try:
            return await session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult") or time.monotonic() >= deadline:
                raise
            await asyncio.sleep(FIRST_PAUSE)


async def _abort(session: Any) -> None:
    """Releases what the transaction holds now; else the server does so after a minute."""
    if session.in_transaction:
        with suppress(PyMongoError), pymongo.timeout(ABORT_SECONDS):
            await session.abort_transaction()


def connect(settings: Settings, metrics: Metrics | None = None) -> Mongo:
    """A client for the configured driver; nothing is sent yet. Raises SettingsError for a malformed URL.

    Its connections are shown in `metrics`, which can be those of one client only.
    """
    milliseconds = int(settings.mongo_timeout_seconds * 1000)
    options: dict[str, Any] = {
        "appname": "taskservice",
        "tz_aware": True,
        "w": "majority",
        "journal": True,
        "readConcernLevel": "majority",
        "retryWrites": True,
        "retryReads": True,
        "timeoutMS": milliseconds,
        "connectTimeoutMS": min(2000, milliseconds),
        "serverSelectionTimeoutMS": milliseconds,
        "heartbeatFrequencyMS": 5000,
        "maxPoolSize": settings.mongo_pool,
    }
    if metrics is not None:
        options["event_listeners"] = [PoolMetrics(metrics.registry, settings.mongo_pool)]
    url = settings.mongo_url.get_secret_value()
    try:
        if not url.startswith(("mongodb://", "mongodb+srv://")):
            raise ConfigurationError  # the drivers would take it for the name of a host
        client = _client_class(settings.mongo_driver)(url, **options)
    except (PyMongoError, ValueError) as error:
        raise SettingsError(
            f"TASKSERVICE_MONGO_URL is not a usable MongoDB address ({type(error).__name__});"
            " it looks like mongodb://host:27017/?replicaSet=rs0."
        ) from None
    return Mongo(client, settings.mongo_database, settings.mongo_timeout_seconds)


def _client_class(driver: str) -> Any:
    # Imported late: the driver that is not used costs neither memory nor start-up time.
    if driver == "motor":
        return importlib.import_module("motor.motor_asyncio").AsyncIOMotorClient
    return importlib.import_module("pymongo").AsyncMongoClient
