"""Who a user id is: the port through which tasks asks auth, and an answer from memory for tests."""

from collections.abc import Collection
from typing import Protocol

from taskservice.directory.cards import UserCard

__all__ = ["Directory", "MemoryDirectory", "UserCard"]


class Directory(Protocol):
    """Looks up accounts by id, any number of them."""

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        """The cards of those that exist, by id. Raises Unavailable when nobody can tell."""
        ...


class MemoryDirectory:
    """Directory in a dictionary, for tests and experiments."""

    def __init__(self, *cards: UserCard) -> None:
        self._cards = {card.id: card for card in cards}

    async def find(self, ids: Collection[str]) -> dict[str, UserCard]:
        return {id_: self._cards[id_] for id_ in ids if id_ in self._cards}
