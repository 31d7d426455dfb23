"""A real Vault is saved, lost, and brought back with everything it held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

from taskservice_keeper.backup.shelf import Shelf
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault import policies, snapshots
from taskservice_keeper.vault.bootstrap import bootstrap
from taskservice_keeper.vault.contents import Contents
from taskservice_keeper.vault.desired import Desired
from taskservice_keeper.vault.server import Server
from testkit.account_tokens import token
from testkit.key_store import MemoryKeyStore
from testkit.raft_vault import RaftVault


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "backups"
    folder.mkdir()
    return Shelf(folder, "vault", "snap")


@pytest.fixture
def bootstrapped(vault: RaftVault, keys: MemoryKeyStore, desired: Desired) -> Server:
    server = Server(vault.address)
    bootstrap(server, keys, desired, print)
    return server


def held(server: Server, keys: MemoryKeyStore, desired: Desired) -> dict[str, Any]:
    """Everything that counts: values of secrets, policies, roles."""
    assert keys.keys
    with server.root(keys.keys):
        contents = Contents(server, desired, lambda *_: None)
        observed = contents.observe()
        values = {path: contents.secret(path) for path in desired.secrets}
        return {"values": values, "policies": dict(observed.policies), "roles": dict(observed.roles)}


def take(server: Server, shelf: Shelf, kubernetes: CoreV1Api) -> Path:
    jwt = token(kubernetes, "secrets", "vault-snapshots", "vault")
    return snapshots.take(server, shelf, "kubernetes", policies.SNAPSHOT_ROLE, lambda: jwt).file


def test_a_vault_whose_volume_is_lost_comes_back_with_its_secrets_policies_and_roles(
    vault: RaftVault,
    keys: MemoryKeyStore,
    desired: Desired,
    bootstrapped: Server,
    shelf: Shelf,
    kubernetes: CoreV1Api,
) -> None:
    before = held(bootstrapped, keys, desired)
    snapshot = take(bootstrapped, shelf, kubernetes)
    vault.lose_everything()

    snapshots.restore(Server(vault.address), keys, snapshot, print)

    assert held(Server(vault.address), keys, desired) == before
    assert bootstrap(Server(vault.address), keys, desired, print) == 0
    vault.restart()
    bootstrap(Server(vault.address), keys, desired, print)  # opens it with the same keys


def test_a_snapshot_undoes_what_came_after_it(
    vault: RaftVault,
    keys: MemoryKeyStore,
    desired: Desired,
    bootstrapped: Server,
    shelf: Shelf,
    kubernetes: CoreV1Api,
) -> None:
    before = held(bootstrapped, keys, desired)
    snapshot = take(bootstrapped, shelf, kubernetes)
    assert keys.keys
    with bootstrapped.root(keys.keys):
        bootstrapped.client.secrets.kv.v2.delete_metadata_and_all_versions("taskservices/apps/auth")
        bootstrapped.client.auth.kubernetes.delete_role("apps-auth")
    assert held(bootstrapped, keys, desired) != before

    snapshots.restore(Server(vault.address), keys, snapshot, print)

    assert held(Server(vault.address), keys, desired) == before


@pytest.mark.parametrize("moment", ["before the snapshot is in", "after the snapshot is in"])
def test_a_restore_that_is_killed_is_finished_by_the_next(
    vault: RaftVault,
    keys: MemoryKeyStore,
    desired: Desired,
    bootstrapped: Server,
    shelf: Shelf,
    kubernetes: CoreV1Api,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = held(bootstrapped, keys, desired)
    snapshot = take(bootstrapped, shelf, kubernetes)
    vault.lose_everything()
    real = Server.restore_snapshot

    def killed(self: Server, source: Any) -> None:
        if moment.startswith("after"):
            real(self, source)
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "restore_snapshot", killed)
    with pytest.raises(KeyboardInterrupt):
        snapshots.restore(Server(vault.address), keys, snapshot, print)
    monkeypatch.undo()
    vault.restart()

    snapshots.restore(Server(vault.address), keys, snapshot, print)

    assert held(Server(vault.address), keys, desired) == before
    assert keys.passing is None


def test_without_the_keys_nothing_is_touched(
    vault: RaftVault, keys: MemoryKeyStore, bootstrapped: Server, shelf: Shelf, kubernetes: CoreV1Api
) -> None:
    snapshot = take(bootstrapped, shelf, kubernetes)
    with pytest.raises(KeeperError, match="No keys are held"):
        snapshots.restore(Server(vault.address), MemoryKeyStore(), snapshot, print)
    assert not vault.sealed


def test_an_account_of_a_service_may_take_no_snapshot(
    vault: RaftVault, bootstrapped: Server, shelf: Shelf, kubernetes: CoreV1Api
) -> None:
    jwt = token(kubernetes, "apps", "auth", "vault")
    with pytest.raises(KeeperError, match="status 403"):
        snapshots.take(Server(vault.address), shelf, "kubernetes", "apps-auth", lambda: jwt)
    assert shelf.finished() == []
