"""Every collection of the platform, with its indexes and shard keys: what `migrate` makes.

Each list is declared next to the queries it serves. A collection has a shard key, or is named in `WHOLE`.
"""

from taskservice.activity import repository as activity
from taskservice.auth import repository as auth
from taskservice.kit import idempotency, lease, outbox
from taskservice.tasks import repository as tasks
from taskservice.worker import activity as progress
from taskservice.worker import reminders

INDEXES = (
    auth.INDEXES
    | tasks.INDEXES
    | outbox.INDEXES
    | idempotency.INDEXES
    | activity.INDEXES
    | progress.INDEXES
    | reminders.INDEXES
)
SHARD_KEYS = {
    **auth.SHARD_KEYS,
    **tasks.SHARD_KEYS,
    **outbox.SHARD_KEYS,
    **idempotency.SHARD_KEYS,
    **activity.SHARD_KEYS,
    **progress.SHARD_KEYS,
    **reminders.SHARD_KEYS,
}
WHOLE = frozenset({lease.LEASES})
"""Collections of a few documents."""
RETIRED = {auth.USERS: ("email_unique",)}
"""Indexes of earlier versions that a sharded cluster would refuse."""
