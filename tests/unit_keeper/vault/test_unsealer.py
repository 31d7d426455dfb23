"""When a server is opened, and what is told of it; servers are played."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from taskservice_keeper.errors import NotYet
from taskservice_keeper.vault.keys import Keys
from taskservice_keeper.vault.plan import SealView
from taskservice_keeper.vault.server import SealStatus, Server, WrongKeys
from taskservice_keeper.vault.unsealer import SealMetrics, Unsealer
from testkit.key_store import MemoryKeyStore

KEYS = Keys(("share",))


class PlayedServer(Server):
    """A server that opens with one key."""

    def __init__(self, *, initialized: bool = True, sealed: bool = True) -> None:
        super().__init__("http://vault-0")
        self.initialized, self.sealed, self.answers = initialized, sealed, True
        self.given: list[Keys] = []

    def seal_status(self) -> SealStatus:
        if not self.answers:
            raise NotYet("The Vault at http://vault-0 was asked its seal: ConnectionError.")
        return SealStatus(self.initialized, self.sealed, opens_itself=False, version="1.21.0")

    def seal_view(self, keys: Keys | None) -> SealView:
        return SealView(self.initialized, self.sealed, keys is not None)

    def unseal(self, keys: Keys) -> None:
        self.given.append(keys)
        if keys != KEYS:
            raise WrongKeys("The keys that are held do not open the Vault at http://vault-0.")
        self.sealed = False


class Watch:
    def __init__(self, server: PlayedServer, keys: Keys | None) -> None:
        self.store = MemoryKeyStore()
        self.store.keys = keys
        self.registry = CollectorRegistry()
        self.said: list[str] = []
        self.unsealer = Unsealer([server], self.store, SealMetrics.on(self.registry), self.said.append)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"keeper_vault_{name}", {"server": "http://vault-0"})


def test_a_sealed_server_is_opened_and_an_open_one_is_given_no_keys() -> None:
    server = PlayedServer()
    watch = Watch(server, KEYS)
    for _ in range(3):
        watch.unsealer.look()
    assert server.given == [KEYS]
    assert watch.said == ["http://vault-0: unsealed"]
    assert (watch.metric("sealed"), watch.metric("reachable"), watch.metric("unseals_total")) == (0, 1, 1)


def test_a_server_that_cannot_be_opened_is_named_once() -> None:
    watch = Watch(PlayedServer(), Keys(("of another",)))
    for _ in range(3):
        watch.unsealer.look()
    assert watch.said == ["http://vault-0: The keys that are held do not open the Vault at http://vault-0."]
    assert watch.metric("sealed") == 1


def test_without_keys_and_before_the_bootstrap_nothing_is_given() -> None:
    server = PlayedServer()
    watch = Watch(server, None)
    watch.unsealer.look()
    server.initialized = False
    watch.unsealer.look()
    assert server.given == []
    assert [line.partition(": ")[2] for line in watch.said] == [
        "sealed, and its keys are not held here",
        "not initialized yet: the bootstrap does that",
    ]


def test_a_server_that_does_not_answer_is_not_said_to_be_open_and_is_watched_on() -> None:
    server = PlayedServer(sealed=False)
    watch = Watch(server, KEYS)
    watch.unsealer.look()
    server.answers = False
    watch.unsealer.look()
    assert watch.metric("reachable") == 0
    server.answers, server.sealed = True, True
    watch.unsealer.look()
    assert not server.sealed
    assert watch.metric("reachable") == 1
