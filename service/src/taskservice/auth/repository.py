"""All queries on users. One document per user; `email` holds the normalised address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from taskservice.auth.errors import EmailTaken
from taskservice.kit.mongo import ASCENDING, Collection, Cursor, Document, DuplicateKeyError, Index, translated

USERS = "users"
INDEXES = {USERS: (Index("email_unique", (("email", ASCENDING),), unique=True),)}


@dataclass(frozen=True)
class User:
    """An account as stored."""

    id: str
    email: str
    display_name: str | None
    password_hash: str
    created_at: datetime


class UserRepository(Protocol):
    """Where accounts live. Every method raises Unavailable when the store does not answer."""

    async def add(self, user: User) -> None:
        """Raises EmailTaken."""
        ...

    async def by_email(self, email: str) -> User | None: ...
    async def by_id(self, user_id: str) -> User | None: ...

    async def by_ids(self, user_ids: Sequence[str]) -> list[User]:
        """Those that exist, each once, in no particular order."""
        ...


class MongoUsers:
    """UserRepository on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._users = collection

    async def add(self, user: User) -> None:
        async with translated():
            try:
                await self._users.insert_one(_document(user))
            except DuplicateKeyError:
                raise EmailTaken from None

    async def by_email(self, email: str) -> User | None:
        async with translated():
            return _user(await self._users.find_one({"email": email}))

    async def by_id(self, user_id: str) -> User | None:
        async with translated():
            return _user(await self._users.find_one({"_id": user_id}))

    async def by_ids(self, user_ids: Sequence[str]) -> list[User]:
        async with translated():
            documents = await self.find_by_ids(user_ids).to_list()
        return [user for document in documents if (user := _user(document))]

    def find_by_ids(self, user_ids: Sequence[str]) -> Cursor:
        """The query of `by_ids`, not yet sent; open so that its plan can be checked."""
        return self._users.find({"_id": {"$in": list(user_ids)}})


class MemoryUsers:
    """UserRepository in a dictionary, for tests and experiments."""

    def __init__(self) -> None:
        self._by_id: dict[str, User] = {}

    async def add(self, user: User) -> None:
        if any(other.email == user.email for other in self._by_id.values()):
            raise EmailTaken
        self._by_id[user.id] = user

    async def by_email(self, email: str) -> User | None:
        return next((user for user in self._by_id.values() if user.email == email), None)

    async def by_id(self, user_id: str) -> User | None:
        return self._by_id.get(user_id)

    async def by_ids(self, user_ids: Sequence[str]) -> list[User]:
        return [self._by_id[user_id] for user_id in dict.fromkeys(user_ids) if user_id in self._by_id]


def _document(user: User) -> Document:
    return {
        "_id": user.id,
        "email": user.email,
        "displayName": user.display_name,
        "passwordHash": user.password_hash,
        "createdAt": user.created_at,
    }


def _user(document: Document | None) -> User | None:
    if document is None:
        return None
    return User(
        id=document["_id"],
        email=document["email"],
        display_name=document["displayName"],
        password_hash=document["passwordHash"],
        created_at=document["createdAt"],
    )
