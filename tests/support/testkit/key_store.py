"""A store of Vault keys in memory, for tests of what is done with them; the real one is a Secret."""

from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault.keys import Keys


class MemoryKeyStore:
    """As a Secret would behave: other keys are never overwritten."""

    def __init__(self) -> None:
        self.keys: Keys | None = None
        self.passing: Keys | None = None

    def load(self) -> Keys | None:
        return self.keys

    def prepare(self) -> None:
        return

    def save(self, keys: Keys) -> None:
        if self.keys is not None and self.keys.shares != keys.shares:
            raise KeeperError("other keys are held")
        self.keys = keys

    def load_passing(self) -> Keys | None:
        return self.passing

    def save_passing(self, keys: Keys | None) -> None:
        self.passing = keys
