"""Snapshots of a Vault's raft storage, and bringing one back: into the same Vault, or into a new and empty one.

A snapshot is encrypted by the Vault it was taken of: it opens with that Vault's keys and no others. So the keys that
are held are never given up, and a restore into an empty Vault uses passing keys until the snapshot is in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from taskservice_keeper.backup.shelf import Backup, Shelf
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.vault.bootstrap import PATIENCE_SECONDS, Say, undisturbed
from taskservice_keeper.vault.keys import Keys, KeyStore
from taskservice_keeper.vault.server import Server, WrongKeys, patiently


def take(server: Server, shelf: Shelf, auth_mount: str, role: str, token: Callable[[], str]) -> Backup:
    """Log in with a ServiceAccount's token and put a snapshot on the shelf. Raises KeeperError."""
    server.log_in(auth_mount, role, token())
    try:
        with shelf.adding() as partial:
            with partial.open("wb") as file:
                server.save_snapshot(file)
            return shelf.add(partial)
    finally:
        server.log_out()


def restore(server: Server, store: KeyStore, snapshot: Path, say: Say) -> None:
    """Replace everything that the Vault holds by a snapshot and open it again; may be run again when it was cut off.

    Raises KeeperError when no keys are held, or when they do not open what the snapshot holds.
    """
    keys = store.load()
    if keys is None:
        raise KeeperError(
            "No keys are held, and a snapshot opens only with the keys of the Vault it was taken of: put them back (the"
            " Secret of the keys), then run this again."
        )
    patiently(server.seal_status, PATIENCE_SECONDS)
    entry = _way_in(server, store, keys, say)
    with server.root(entry):
        with snapshot.open("rb") as file:
            server.restore_snapshot(file)
        say("the snapshot is in")
    patiently(lambda: _open(server, keys), PATIENCE_SECONDS)
    store.save_passing(None)
    say("the Vault is open, with the keys of the snapshot")


def _way_in(server: Server, store: KeyStore, keys: Keys, say: Say) -> Keys:
    """Open the Vault as it is now and return the keys that did."""
    status = server.seal_status()
    if not status.initialized:
        store.prepare()
        with undisturbed():
            passing = server.initialize(1, 1, status.opens_itself)
            store.save_passing(passing.without_token())
        say("the Vault was empty: initialized in passing")
        _open(server, passing)
        return passing
    for candidate in (keys, store.load_passing()):
        if candidate is not None:
            try:
                _open(server, candidate)
                _proves(server, candidate)
            except WrongKeys:
                continue
            return candidate
    raise KeeperError(
        "The Vault that is there now opens with other keys than those that are held. Delete its volume and its pod, so"
        " that a new one starts, and run this again."
    )


def _proves(server: Server, keys: Keys) -> None:
    """Raise WrongKeys unless a root token can be made of them: a Vault that is open already proves nothing."""
    with server.root(keys):
        pass


def _open(server: Server, keys: Keys) -> None:
    status = server.seal_status()
    if status.sealed and not status.opens_itself:
        server.unseal(keys)
    server.wait_until_active()
