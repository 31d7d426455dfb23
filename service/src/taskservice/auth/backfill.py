"""Users of before addresses had documents of their own: they get theirs."""

from taskservice.auth.repository import ADDRESSES, USERS
from taskservice.kit.backfill import Backfill
from taskservice.kit.mongo import Document, DuplicateKeyError, Mongo, translated


async def repair(database: Mongo, rows: list[Document]) -> int:
    """Gives those users their addresses that lack them. Raises Unavailable."""
    addresses = database.collection(ADDRESSES)
    owners = {row["email"]: row["_id"] for row in rows}
    repaired = 0
    async with translated():
        there = await addresses.find({"_id": {"$in": list(owners)}}).to_list()
        for email in owners.keys() - {row["_id"] for row in there}:
            try:
                await addresses.insert_one({"_id": email, "user": owners[email]})
            except DuplicateKeyError:
                continue  # another run was quicker
            repaired += 1
    return repaired


BACKFILL = Backfill("user addresses", USERS, repair)
