"""What project ``data`` tells: the addresses of database, cache and broker, each with its user and password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulumi import Output


@dataclass(frozen=True)
class DataOutputs:
    """``mongodb_backup_url`` and ``mongodb_vault_url`` are of users with those duties; None where others have them."""

    PROJECT: ClassVar[str] = "data"
    SECRET: ClassVar[frozenset[str]] = frozenset(
        {"mongodb_url", "mongodb_backup_url", "mongodb_vault_url", "redis_url", "bus_url"}
    )

    mongodb_url: Output[str]
    redis_url: Output[str]
    bus_url: Output[str]
    mongodb_backup_url: Output[str | None]
    mongodb_vault_url: Output[str | None]
