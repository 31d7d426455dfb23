"""The command that keeps a Vault open: it looks every few seconds, and gives the keys to a server that is sealed.

For the local stack and for small installations without a key management service; with one, Vault opens itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from taskservice_keeper.errors import KeeperError, NotYet
from taskservice_keeper.vault import plan
from taskservice_keeper.vault.bootstrap import Say
from taskservice_keeper.vault.keys import KeyStore
from taskservice_keeper.vault.plan import Opening
from taskservice_keeper.vault.server import Server

EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class SealMetrics:
    """What is told of each server; labelled by its address."""

    sealed: Gauge
    initialized: Gauge
    reachable: Gauge
    unsealed: Counter

    @classmethod
    def on(cls, registry: CollectorRegistry) -> SealMetrics:
        def gauge(name: str, about: str) -> Gauge:
            return Gauge(f"keeper_vault_{name}", about, ["server"], registry=registry)

        return cls(
            gauge("sealed", "1 while the server says that it is sealed"),
            gauge("initialized", "1 when the server has been initialized"),
            gauge("reachable", "1 when the server answered the last question"),
            Counter("keeper_vault_unseals", "How often the server was opened", ["server"], registry=registry),
        )


class Unsealer:
    """Looks at each server in turn; a server that cannot be opened is named once, not every two seconds."""

    def __init__(self, servers: Sequence[Server], store: KeyStore, metrics: SealMetrics, say: Say) -> None:
        self._servers = servers
        self._store = store
        self._metrics = metrics
        self._say = say
        self._told: dict[str, str] = {}

    def look(self) -> None:
        """Look at every server once, and open those that are sealed."""
        for server in self._servers:
            self._tell(server, self._look(server))

    def _look(self, server: Server) -> str:
        """Open one server if need be; returns the sentence that tells of it, empty when all is well."""
        name = server.address
        try:
            # The keys are read only when a server is sealed: most of the time nobody holds them in memory.
            status = server.seal_status()
            self._metrics.reachable.labels(name).set(1)
            self._metrics.sealed.labels(name).set(status.sealed)
            self._metrics.initialized.labels(name).set(status.initialized)
            if not status.initialized:
                return "not initialized yet: the bootstrap does that"
            if not status.sealed:
                return ""
            keys = self._store.load()
            if plan.opening(server.seal_view(keys)) is not Opening.UNSEAL or keys is None:
                return "sealed, and its keys are not held here"
            server.unseal(keys)
        except NotYet as error:
            self._metrics.reachable.labels(name).set(0)
            return str(error)
        except KeeperError as error:
            return str(error)
        self._metrics.unsealed.labels(name).inc()
        self._metrics.sealed.labels(name).set(0)
        self._say(f"{name}: unsealed")
        return ""

    def _tell(self, server: Server, sentence: str) -> None:
        if sentence and self._told.get(server.address) != sentence:
            self._say(f"{server.address}: {sentence}")
        self._told[server.address] = sentence
