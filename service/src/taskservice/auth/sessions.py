"""All queries on sessions. One document per login; it goes by itself when the session can matter to nobody."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from taskservice.auth.refresh import Rotation, Session
from taskservice.kit.denylist import KEPT
from taskservice.kit.mongo import (
    ASCENDING,
    DESCENDING,
    HASHED,
    Collection,
    Document,
    Index,
    ReturnDocument,
    ShardKeys,
    translated,
)

SESSIONS = "sessions"
INDEXES = {
    SESSIONS: (
        Index("user_newest", (("userId", ASCENDING), ("createdAt", DESCENDING))),
        Index("goes_at", (("goesAt", ASCENDING),), expire_after_seconds=0),
    )
}
# A refresh knows the session and not the user. Who logs in, or out everywhere, asks every shard for the user's.
SHARD_KEYS: ShardKeys = {SESSIONS: (("_id", HASHED),)}

ROTATIONS_KEPT = 8


class SessionRepository(Protocol):
    """Where sessions live. Every method raises Unavailable when the store does not answer."""

    async def add(self, session: Session) -> None: ...
    async def get(self, session_id: str) -> Session | None: ...

    async def rotate(self, session: Session, current: bytes, rotation: Rotation, idle_until: datetime) -> bool:
        """Replaces the token that the rotation used; False when another use, or the end, came first."""
        ...

    async def end(self, session_id: str, now: datetime) -> None:
        """Nothing is refreshed any more; ending twice is ending once."""
        ...

    async def end_all(self, user_id: str, now: datetime) -> list[str]:
        """Ends every session of a user. Answers all that may still have valid tokens, those ended earlier too."""
        ...

    async def newest(self, user_id: str, limit: int) -> list[Session]:
        """Sessions of a user that have not been ended, newest first."""
        ...


class MongoSessions:
    """SessionRepository on MongoDB."""

    def __init__(self, collection: Collection) -> None:
        self._sessions = collection

    async def add(self, session: Session) -> None:
        async with translated():
            await self._sessions.insert_one(_document(session))

    async def get(self, session_id: str) -> Session | None:
        async with translated():
            document = await self._sessions.find_one({"_id": session_id})
        return _session(document) if document else None

    async def rotate(self, session: Session, current: bytes, rotation: Rotation, idle_until: datetime) -> bool:
        changes: Document = {
            "$set": {"current": current, "idleUntil": idle_until, "goesAt": _goes_at(session.ends_at, idle_until)},
            "$push": {"rotations": {"$each": [_rotation_document(rotation)], "$slice": -ROTATIONS_KEPT}},
        }
        async with translated():
            changed = await self._sessions.find_one_and_update(
                {"_id": session.id, "current": rotation.used, "endedAt": None},
                changes,
                return_document=ReturnDocument.AFTER,
            )
        return changed is not None

    async def end(self, session_id: str, now: datetime) -> None:
        async with translated():
            await self._sessions.update_one({"_id": session_id, "endedAt": None}, _ending(now))

    async def end_all(self, user_id: str, now: datetime) -> list[str]:
        async with translated():
            await self._sessions.update_many({"userId": user_id, "endedAt": None}, _ending(now))
            documents = await self._sessions.find({"userId": user_id}).to_list()
        return [document["_id"] for document in documents]

    async def newest(self, user_id: str, limit: int) -> list[Session]:
        async with translated():
            found = self._sessions.find({"userId": user_id, "endedAt": None}).sort("createdAt", DESCENDING)
            documents = await found.limit(limit).to_list()
        return [_session(document) for document in documents]


class MemorySessions:
    """SessionRepository in a dictionary, for tests and experiments."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}

    async def add(self, session: Session) -> None:
        self._by_id[session.id] = session

    async def get(self, session_id: str) -> Session | None:
        return self._by_id.get(session_id)

    async def rotate(self, session: Session, current: bytes, rotation: Rotation, idle_until: datetime) -> bool:
        stored = self._by_id.get(session.id)
        if stored is None or stored.current != rotation.used or stored.ended_at is not None:
            return False
        rotations = (*stored.rotations, rotation)[-ROTATIONS_KEPT:]
        self._by_id[session.id] = replace(stored, current=current, rotations=rotations, idle_until=idle_until)
        return True

    async def end(self, session_id: str, now: datetime) -> None:
        stored = self._by_id.get(session_id)
        if stored is not None and stored.ended_at is None:
            self._by_id[session_id] = replace(stored, ended_at=now)

    async def end_all(self, user_id: str, now: datetime) -> list[str]:
        mine = [session.id for session in self._by_id.values() if session.user_id == user_id]
        for session_id in mine:
            await self.end(session_id, now)
        return mine

    async def newest(self, user_id: str, limit: int) -> list[Session]:
        mine = [s for s in self._by_id.values() if s.user_id == user_id and s.ended_at is None]
        return sorted(mine, key=lambda session: session.created_at, reverse=True)[:limit]


def _goes_at(ends_at: datetime, idle_until: datetime) -> datetime:
    """When it can be forgotten: over by itself, and no access token of it left."""
    return min(ends_at, idle_until) + KEPT


def _ending(now: datetime) -> Document:
    return {"$set": {"endedAt": now, "goesAt": now + KEPT}}


def _rotation_document(rotation: Rotation) -> Document:
    return {"used": rotation.used, "nonce": rotation.nonce, "at": rotation.at}


def _document(session: Session) -> Document:
    return {
        "_id": session.id,
        "userId": session.user_id,
        "current": session.current,
        "rotations": [_rotation_document(rotation) for rotation in session.rotations],
        "createdAt": session.created_at,
        "endsAt": session.ends_at,
        "idleUntil": session.idle_until,
        "endedAt": session.ended_at,
        "goesAt": _goes_at(session.ends_at, session.idle_until),
    }


def _session(document: dict[str, Any]) -> Session:
    return Session(
        id=document["_id"],
        user_id=document["userId"],
        current=document["current"],
        rotations=tuple(Rotation(entry["used"], entry["nonce"], entry["at"]) for entry in document["rotations"]),
        created_at=document["createdAt"],
        ends_at=document["endsAt"],
        idle_until=document["idleUntil"],
        ended_at=document["endedAt"],
    )
