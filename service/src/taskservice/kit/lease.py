"""One holder at a time for work that only one process may do, by a document in MongoDB.

The database's clock alone says when a lease has run out. The holder counts from before it asked, so that it
stops before anybody else can begin; a process that sleeps through the end is stopped by the generation, which
every holder gets anew and which `Term.fence` proves inside a transaction.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from taskservice.kit.errors import Unavailable
from taskservice.kit.ids import new_id
from taskservice.kit.logging import event
from taskservice.kit.mongo import Collection, Document, DuplicateKeyError, ReturnDocument, Session, translated

log = logging.getLogger(__name__)

LEASES = "leases"


class LeaseLost(Exception):
    """Somebody else may hold the lease: whatever needs it must end."""


@dataclass
class Term:
    """The time between getting a lease and losing it. `generation` grows with every holder."""

    leases: Collection
    name: str
    holder: str
    generation: int
    ends: float  # by the monotonic clock of this process

    def check(self) -> None:
        """Raises LeaseLost when the lease may have run out. Call it right before what only the holder may do."""
        if time.monotonic() >= self.ends:
            raise LeaseLost(self.name)

    async def fence(self, session: Session) -> None:
        """Makes the transaction fail unless this is still the latest generation. Raises LeaseLost."""
        self.check()
        # A write and not a read: it collides with a takeover that happens at the same time.
        done = await self.leases.update_one(self.identity, {"$inc": {"fenced": 1}}, session=session)
        if done.matched_count == 0:
            raise LeaseLost(self.name)

    @property
    def identity(self) -> Document:
        return {"_id": self.name, "holder": self.holder, "generation": self.generation}


Work = Callable[[Term], Awaitable[None]]


@dataclass
class Lease:
    """A lease by name, for one process. `hold` does everything."""

    leases: Collection
    name: str
    seconds: float
    holder: str = field(default_factory=new_id)
    on_change: Callable[[bool], None] = lambda held: None

    async def hold(self, work: Work) -> None:
        """Runs the work whenever this process holds the lease, until cancelled.

        The work is cancelled at the moment the lease ends. When it returns, or raises LeaseLost or Unavailable,
        the lease is given back, and this process queues again.
        """
        while True:
            term = await self._acquire()
            if term is not None:
                await self._serve(term, work)
            await asyncio.sleep(self.seconds / 4)

    async def _serve(self, term: Term, work: Work) -> None:
        event(log, "lease_acquired", lease=self.name, generation=term.generation)
        self.on_change(True)
        worker = asyncio.ensure_future(work(term))
        keeper = asyncio.create_task(self._keep(term))
        try:
            await asyncio.wait((worker, keeper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            keeper.cancel()
            worker.cancel()
            results = await asyncio.gather(worker, keeper, return_exceptions=True)
            self.on_change(False)
            event(log, "lease_ended", lease=self.name, generation=term.generation)
            await self._release(term)
        for result in results:
            expected = (LeaseLost, Unavailable, asyncio.CancelledError)
            if isinstance(result, BaseException) and not isinstance(result, expected):
                raise result

    async def _keep(self, term: Term) -> None:
        """Renews until the lease is lost, or its end comes before a renewal has worked."""
        while True:
            await asyncio.sleep(self.seconds / 3)
            try:
                async with asyncio.timeout(max(term.ends - time.monotonic(), 0)):
                    await self._renew(term)
            except TimeoutError:
                return
            except Unavailable:
                continue
            except LeaseLost:
                return

    async def _acquire(self) -> Term | None:
        asked = time.monotonic()
        try:
            async with translated():
                # An upsert cannot compare with the server's clock: the document is there first, and then taken.
                await self.leases.update_one(
                    {"_id": self.name}, {"$setOnInsert": {"generation": 0, "expiresAt": None}}, upsert=True
                )
                taken = await self.leases.find_one_and_update(
                    {"_id": self.name, "$expr": {"$lt": ["$expiresAt", "$$NOW"]}},
                    [
                        {
                            "$set": {
                                "holder": self.holder,
                                "generation": {"$add": ["$generation", 1]},
                                "expiresAt": self._expiry(),
                            }
                        }
                    ],
                    return_document=ReturnDocument.AFTER,
                )
        except (Unavailable, DuplicateKeyError):  # the latter when two make the document at once
            return None
        if taken is None:
            return None
        return Term(self.leases, self.name, self.holder, taken["generation"], asked + self.seconds)

    async def _renew(self, term: Term) -> None:
        asked = time.monotonic()
        async with translated():
            done = await self.leases.update_one(term.identity, [{"$set": {"expiresAt": self._expiry()}}])
        if done.matched_count == 0:
            raise LeaseLost(self.name)
        term.ends = asked + self.seconds

    async def _release(self, term: Term) -> None:
        """Lets the next one begin at once. Best effort: the lease runs out anyway."""
        try:
            async with asyncio.timeout(1), translated():
                await self.leases.update_one(term.identity, {"$set": {"expiresAt": None}})
        except (TimeoutError, Unavailable):
            event(log, "lease_not_released", logging.WARNING, lease=self.name)

    def _expiry(self) -> Document:
        return {"$add": ["$$NOW", int(self.seconds * 1000)]}
