"""What `migrate` does, in its order: indexes, what earlier versions stored, and the shards if asked for.

Safe to run at any time, by several at once, and while services of this version and the one before run.
"""

from taskservice.auth.backfill import BACKFILL as ADDRESSES
from taskservice.database import INDEXES, RETIRED, SHARD_KEYS
from taskservice.kit import backfill, mongo
from taskservice.kit.backfill import Say
from taskservice.kit.settings import Settings
from taskservice.tasks.backfill import BACKFILL as ENTRIES

BACKFILLS = (ENTRIES, ADDRESSES)


async def migrate(settings: Settings, say: Say, *, shard: bool = False, again: bool = False) -> None:
    """Says a line for each thing done. Raises Unavailable, NotSharded."""
    database = mongo.connect(settings)
    try:
        if shard:
            async with mongo.translated():
                await database.require_mongos()
        async with mongo.translated():
            for name in await database.ensure_indexes(INDEXES):
                say(f"index {name}")
        for one in BACKFILLS:
            await backfill.run(database, one, say, again=again)
        if shard:
            async with mongo.translated():
                for name in await database.drop_indexes(RETIRED):
                    say(f"dropped index {name}")
                for name in await database.shard(SHARD_KEYS):
                    say(f"sharded {name}")
    finally:
        await database.close()
