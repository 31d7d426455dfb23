"""Requests that may be sent again: the answer to the first is kept, and given to every later one with its key.

The answer is stored in the transaction of the change it tells of. So there is an answer exactly when the change
happened, whichever replica is asked, and also when one died in between: what it had not committed never happened.
While a transaction with a key is open, the database refuses a second one; that is how a request in flight is seen.
Only answers to changes are kept: a request that was refused is judged anew when it comes again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from taskservice.kit.errors import Problem
from taskservice.kit.mongo import (
    ASCENDING,
    HASHED,
    Collection,
    Index,
    Session,
    ShardKeys,
    Taken,
    claiming,
    translated,
)

IDEMPOTENCY = "idempotency"
KEPT = timedelta(hours=24)
INDEXES = {IDEMPOTENCY: (Index("expiry", (("expiresAt", ASCENDING),), expire_after_seconds=0),)}
SHARD_KEYS: ShardKeys = {IDEMPOTENCY: (("_id", HASHED),)}


class KeyReused(Problem):
    status, code, title = 422, "idempotency-key-reused", "This Idempotency-Key was used for another request"


class InFlight(Problem):
    """The request with this key has not ended, or its replica died less than a minute ago."""

    status, code, title = 409, "request-in-flight", "A request with this Idempotency-Key is being answered"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


@dataclass(frozen=True)
class RequestKey:
    """The key of one caller, and what it may be used for: the same request again."""

    id: str
    fingerprint: str

    @classmethod
    def of(cls, caller: str, key: str, method: str, path: str, body: bytes) -> "RequestKey":
        return cls(_digest(caller, key), _digest(method, path, hashlib.sha256(body).hexdigest()))


@dataclass(frozen=True)
class Answer:
    """What was answered. `replayed` when it was to an earlier request."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False


@dataclass(frozen=True)
class KeptAnswer:
    """An answer to be stored under its key."""

    key: RequestKey
    answer: Answer


class Answers(Protocol):
    """Where answers are kept."""

    async def find(self, key: RequestKey) -> Answer | None:
        """The answer to an earlier request with this key. Raises KeyReused if it was another request."""
        ...

    async def keep(self, session: Session, kept: KeptAnswer) -> None:
        """Stores an answer in the caller's transaction. Raises InFlight when another request has the key."""
        ...


async def once(answers: Answers, key: RequestKey | None, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer to an earlier request with this key, or that of the work, which keeps it.

    Raises KeyReused, InFlight, and what the work raises.
    """
    if key is None:
        return await work()
    if (earlier := await answers.find(key)) is not None:
        return earlier
    try:
        return await work()
    except InFlight:
        # The other one may just have ended.
        if (earlier := await answers.find(key)) is not None:
            return earlier
        raise


class MongoAnswers:
    """Answers on MongoDB; `keep` belongs inside `Mongo.transaction`, before the change, so that it fails early."""

    def __init__(self, collection: Collection, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._answers = collection
        self._now = now

    async def find(self, key: RequestKey) -> Answer | None:
        async with translated():
            document = await self._answers.find_one({"_id": key.id})
        if document is None:
            return None
        if document["fingerprint"] != key.fingerprint:
            raise KeyReused
        return Answer(document["status"], bytes(document["body"]), document["headers"], replayed=True)

    async def keep(self, session: Session, kept: KeptAnswer) -> None:
        document = {
            "_id": kept.key.id,
            "fingerprint": kept.key.fingerprint,
            "status": kept.answer.status,
            "headers": dict(kept.answer.headers),
            "body": kept.answer.body,
            "expiresAt": self._now() + KEPT,
        }
        try:
            async with claiming():
                await self._answers.insert_one(document, session=session)
        except Taken:
            raise InFlight from None


class MemoryAnswers:
    """Answers in a dictionary, for tests; they never expire."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptAnswer] = {}

    async def find(self, key: RequestKey) -> Answer | None:
        kept = self._kept.get(key.id)
        if kept is None:
            return None
        if kept.key.fingerprint != key.fingerprint:
            raise KeyReused
        return Answer(kept.answer.status, kept.answer.body, kept.answer.headers, replayed=True)

    async def keep(self, session: object, kept: KeptAnswer) -> None:
        if kept.key.id in self._kept:
            raise InFlight
        self._kept[kept.key.id] = kept


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
