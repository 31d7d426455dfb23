"""The keys of a Vault, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Keys:
    """As many shares as open the Vault. `root_token` is held in memory only, for the first run."""

    shares: tuple[str, ...]
    root_token: str | None = None

    def __repr__(self) -> str:
        return f"Keys({len(self.shares)} shares)"

    def without_token(self) -> Keys:
        return replace(self, root_token=None)


class KeyStore(Protocol):
    """Keeps the keys in use, and during a restore those of the Vault that is to be replaced."""

    def load(self) -> Keys | None:
        """Return the keys, None when there are none. Raises KeeperError when the store cannot be read."""
        ...

    def prepare(self) -> None:
        """Prove that keys can be stored, before any are made. Raises KeeperError."""
        ...

    def save(self, keys: Keys) -> None:
        """Store them; returns when they are safe. Raises KeeperError when others are there already."""
        ...

    def load_passing(self) -> Keys | None:
        """Return the keys of a Vault that a restore is about to replace, if one was cut off."""
        ...

    def save_passing(self, keys: Keys | None) -> None:
        """Store or forget those."""
        ...
