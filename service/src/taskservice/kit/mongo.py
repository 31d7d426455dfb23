"""The only door to MongoDB, and the only module that imports a driver.

Repositories get `Collection`, the part of the API that motor and PyMongo Async have in common, so that
`TASKSERVICE_MONGO_DRIVER` picks the driver at run time (motor is supported until 2027-05-14). Writes are
majority-acknowledged and retried by the driver within one deadline, which rides out an election.
"""

import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import ConfigurationError, DuplicateKeyError, PyMongoError

from taskservice.kit.errors import Unavailable
from taskservice.kit.settings import Settings, SettingsError

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Collection",
    "Document",
    "DuplicateKeyError",
    "Index",
    "Mongo",
    "ReturnDocument",
    "connect",
    "translated",
]

Document = dict[str, Any]


class Cursor(Protocol):
    """A query under construction."""

    def sort(self, key_or_list: Any, direction: Any = ...) -> "Cursor": ...
    def limit(self, limit: int) -> "Cursor": ...
    async def to_list(self, length: int | None = ...) -> list[Document]: ...
    async def explain(self) -> Document: ...


class Collection(Protocol):
    """What a repository may do with its collection."""

    async def insert_one(self, document: Document) -> Any: ...
    async def find_one(self, filter: Document) -> Document | None: ...
    def find(self, filter: Document) -> Cursor: ...
    async def find_one_and_update(
        self, filter: Document, update: Document, *, return_document: bool
    ) -> Document | None: ...
    async def delete_one(self, filter: Document) -> Any: ...
    async def create_indexes(self, indexes: list[IndexModel]) -> list[str]: ...
    async def index_information(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Index:
    """One index: keys in order, each with its direction."""

    name: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False


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

    def __init__(self, client: Any, database: str) -> None:
        self._client = client
        self._database = client[database]

    def collection(self, name: str) -> Collection:
        return self._database[name]

    async def ping(self) -> None:
        """Raises when no primary answers."""
        await self._client.admin.command("ping")

    async def ensure_indexes(self, wanted: Mapping[str, Sequence[Index]]) -> list[str]:
        """Creates what is missing and returns the names of all; the same call twice changes nothing."""
        names: list[str] = []
        for collection, indexes in wanted.items():
            models = [IndexModel(list(i.keys), name=i.name, unique=i.unique) for i in indexes]
            names += [f"{collection}.{name}" for name in await self.collection(collection).create_indexes(models)]
        return names

    async def drop(self) -> None:
        """Removes the whole database. For tests."""
        await self._client.drop_database(self._database.name)

    async def close(self) -> None:
        closing = self._client.close()
        if closing is not None:
            await closing


def connect(settings: Settings) -> Mongo:
    """A client for the configured driver; nothing is sent yet. Raises SettingsError for a malformed URL."""
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
    return Mongo(client, settings.mongo_database)


def _client_class(driver: str) -> Any:
    # Imported late: the driver that is not used costs neither memory nor start-up time.
    if driver == "motor":
        return importlib.import_module("motor.motor_asyncio").AsyncIOMotorClient
    return importlib.import_module("pymongo").AsyncMongoClient
