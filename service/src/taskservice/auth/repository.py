"""All queries on users, and every index and shard key of auth.

One document per user, found by its id; `email` holds the normalised address. Who has an address is a document of its
own, found by the address and stored in the same transaction: so an address is given out once, and an account is found
by either, also when users are spread over shards, where an index of `email` could not be unique.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from taskservice.auth import lockout, sessions
from taskservice.auth.errors import EmailTaken
from taskservice.kit import denylist
from taskservice.kit.mongo import (
    HASHED,
    Document,
    DuplicateKeyError,
    Mongo,
    ReturnDocument,
    Session,
    ShardKeys,
    translated,
)

USERS, ADDRESSES = "users", "user_addresses"
INDEXES = sessions.INDEXES | lockout.INDEXES | denylist.INDEXES
SHARD_KEYS: ShardKeys = {
    USERS: (("_id", HASHED),),
    ADDRESSES: (("_id", HASHED),),
    **sessions.SHARD_KEYS,
    **lockout.SHARD_KEYS,
    **denylist.SHARD_KEYS,
}
NAMES = {"display_name": "displayName"}


@dataclass(frozen=True)
class User:
    """An account as stored. `password_version` counts changes of the password, not of its hash."""

    id: str
    email: str
    display_name: str | None
    password_hash: str
    created_at: datetime
    password_version: int = 0
    roles: tuple[str, ...] = ()


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

    async def change(self, user_id: str, changes: Mapping[str, Any]) -> User | None:
        """Applies changes by field name; None when the user is gone."""
        ...

    async def set_password(self, user_id: str, version: int, password_hash: str) -> User | None:
        """Replaces the password of this version; None when there is another by now."""
        ...

    async def improve_hash(self, user_id: str, old: str, new: str) -> None:
        """Replaces a hash by another one of the same password; does nothing when it is not there any more."""
        ...


class MongoUsers:
    """UserRepository on MongoDB."""

    def __init__(self, database: Mongo) -> None:
        self._transaction = database.transaction
        self._users = database.collection(USERS)
        self._addresses = database.collection(ADDRESSES)

    async def add(self, user: User) -> None:
        async def work(session: Session) -> None:
            await self._addresses.insert_one({"_id": user.email, "user": user.id}, session=session)
            await self._users.insert_one(_document(user), session=session)

        try:
            await self._transaction(work)
        except DuplicateKeyError:
            raise EmailTaken from None

    async def by_email(self, email: str) -> User | None:
        async with translated():
            address = await self._addresses.find_one({"_id": email})
            return _user(await self._users.find_one({"_id": address["user"]})) if address else None

    async def by_id(self, user_id: str) -> User | None:
        async with translated():
            return _user(await self._users.find_one({"_id": user_id}))

    async def by_ids(self, user_ids: Sequence[str]) -> list[User]:
        async with translated():
            documents = await self._users.find({"_id": {"$in": list(user_ids)}}).to_list()
        return [user for document in documents if (user := _user(document))]

    async def change(self, user_id: str, changes: Mapping[str, Any]) -> User | None:
        values = {NAMES[name]: value for name, value in changes.items()}
        async with translated():
            return _user(
                await self._users.find_one_and_update(
                    {"_id": user_id}, {"$set": values}, return_document=ReturnDocument.AFTER
                )
            )

    async def set_password(self, user_id: str, version: int, password_hash: str) -> User | None:
        # A user of before passwords had versions has none, which is version 0.
        stored = {"$in": [0, None]} if version == 0 else version
        async with translated():
            return _user(
                await self._users.find_one_and_update(
                    {"_id": user_id, "passwordVersion": stored},
                    {"$set": {"passwordHash": password_hash, "passwordVersion": version + 1}},
                    return_document=ReturnDocument.AFTER,
                )
            )

    async def improve_hash(self, user_id: str, old: str, new: str) -> None:
        async with translated():
            await self._users.update_one({"_id": user_id, "passwordHash": old}, {"$set": {"passwordHash": new}})


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

    async def change(self, user_id: str, changes: Mapping[str, Any]) -> User | None:
        if user_id not in self._by_id:
            return None
        self._by_id[user_id] = replace(self._by_id[user_id], **changes)
        return self._by_id[user_id]

    async def set_password(self, user_id: str, version: int, password_hash: str) -> User | None:
        user = self._by_id.get(user_id)
        if user is None or user.password_version != version:
            return None
        return await self.change(user_id, {"password_hash": password_hash, "password_version": version + 1})

    async def improve_hash(self, user_id: str, old: str, new: str) -> None:
        if (user := self._by_id.get(user_id)) and user.password_hash == old:
            await self.change(user_id, {"password_hash": new})


def _document(user: User) -> Document:
    return {
        "_id": user.id,
        "email": user.email,
        "displayName": user.display_name,
        "passwordHash": user.password_hash,
        "createdAt": user.created_at,
        "passwordVersion": user.password_version,
        "roles": list(user.roles),
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
        password_version=document.get("passwordVersion", 0),
        roles=tuple(document.get("roles", ())),
    )
