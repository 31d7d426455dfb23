"""Every collection of the platform, with its indexes and shard keys: what `migrate` makes.

Each list is declared next to the queries it serves; a collection that is in no list of shard keys stays whole.
"""

from taskservice.auth import repository as auth
from taskservice.kit import idempotency, outbox
from taskservice.tasks import repository as tasks

INDEXES = auth.INDEXES | tasks.INDEXES | outbox.INDEXES | idempotency.INDEXES
SHARD_KEYS = {**tasks.SHARD_KEYS, **outbox.SHARD_KEYS, **idempotency.SHARD_KEYS}
