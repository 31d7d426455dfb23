"""What each command does, with its parts put together. Settings come from `__main__`; nothing here parses arguments."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kubernetes.client import CoreV1Api
from prometheus_client import CollectorRegistry, start_http_server

from taskservice_keeper import cluster
from taskservice_keeper.backup.record import Record, RecordCollector
from taskservice_keeper.backup.shelf import Backup, Retention, Shelf
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.mongodb import contents, dump
from taskservice_keeper.vault import bootstrap, desired, snapshots, unsealer
from taskservice_keeper.vault.server import Server

RECORDS_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """A namespace and a name in it: `secrets/vault-keys`."""

    namespace: str
    name: str


def say(line: str) -> None:
    """Tell what was done, one line on standard output."""
    print(line, flush=True)


def vault_bootstrap(address: str, ca_file: str | None, keys: Place, file: Path, kubeconfig: Path | None,
                    shares: int, threshold: int) -> None:  # fmt: skip
    """Open the Vault and add what it lacks."""
    wanted = desired.load(file)
    api = cluster.connect(kubeconfig)
    server = Server(address, ca_file)
    changes = bootstrap.bootstrap(
        server,
        cluster.SecretKeyStore(api, keys.namespace, keys.name),
        wanted,
        say,
        shares=shares,
        threshold=threshold,
        kubernetes=lambda namespace, name: cluster.read_secret(api, namespace, name),
    )
    say(f"{changes} changes" if changes else "nothing was missing")


def vault_unseal(addresses: Sequence[str], ca_file: str | None, keys: Place, kubeconfig: Path | None, port: int,
                 records: dict[str, Place]) -> None:  # fmt: skip
    """Keep the servers open until told to end; tell of them, and of backups, as metrics."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    api = cluster.connect(kubeconfig)
    registry = CollectorRegistry()
    told = RecordCollector(registry)
    store = cluster.SecretKeyStore(api, keys.namespace, keys.name)
    servers = [Server(address, ca_file) for address in addresses]
    watch = unsealer.Unsealer(servers, store, unsealer.SealMetrics.on(registry), say)
    server, thread = start_http_server(port, registry=registry)
    read_at = float("-inf")
    while not stop.is_set():
        watch.look()
        if time.monotonic() - read_at > RECORDS_EVERY_SECONDS:
            told.records = read_records(api, records)
            read_at = time.monotonic()
        stop.wait(unsealer.EVERY_SECONDS)
    server.shutdown()
    thread.join()


def read_records(api: CoreV1Api, places: dict[str, Place]) -> dict[str, Record]:
    """Return the records by target; one that cannot be read counts as never, and is named."""
    found = {}
    for target, place in places.items():
        try:
            found[target] = cluster.read_record(api, place.namespace, place.name)
        except KeeperError as error:
            say(str(error))
            found[target] = Record()
    return found


def vault_snapshot(address: str, ca_file: str | None, auth_mount: str, role: str, token_file: Path, folder: Path,
                   retention: Retention, record: Place | None, kubeconfig: Path | None) -> None:  # fmt: skip
    """Take a snapshot of Vault's storage."""
    shelf = snapshot_shelf(folder)
    server = Server(address, ca_file)
    backed_up(
        lambda: snapshots.take(server, shelf, auth_mount, role, lambda: token_file.read_text().strip()),
        shelf, retention, record, kubeconfig,
    )  # fmt: skip


def vault_restore(address: str, ca_file: str | None, keys: Place, folder: Path, name: str,
                  kubeconfig: Path | None) -> None:  # fmt: skip
    """Bring a snapshot back."""
    shelf = snapshot_shelf(folder)
    backup = shelf.find(name)
    shelf.verify(backup)
    store = cluster.SecretKeyStore(cluster.connect(kubeconfig), keys.namespace, keys.name)
    began = time.monotonic()
    snapshots.restore(Server(address, ca_file), store, backup.file, say)
    say(f"restored {backup.manifest.name} ({backup.manifest.size_bytes} bytes) in {time.monotonic() - began:.1f} s")


def mongodb_backup(url: str, folder: Path, retention: Retention, record: Place | None, kubeconfig: Path | None,
                   tools: dump.Tools) -> None:  # fmt: skip
    """Dump the whole replica set."""
    shelf = dump_shelf(folder)
    backed_up(lambda: dump.back_up(url, shelf, tools), shelf, retention, record, kubeconfig)


def mongodb_restore(url: str, folder: Path, name: str, replace: bool, tools: dump.Tools) -> None:
    """Bring a dump back."""
    shelf = dump_shelf(folder)
    backup = shelf.find(name)
    began = time.monotonic()
    dump.restore(url, backup, shelf, tools, replace=replace, say=say)
    say(f"restored {backup.manifest.name} ({backup.manifest.size_bytes} bytes) in {time.monotonic() - began:.1f} s")


def mongodb_contents(url: str) -> None:
    """Print what the replica set holds, a line for each collection: to be compared before and after."""
    with dump.connected(url) as client:
        for name, found in contents.contents(client).items():
            say(f"{name}\t{found.documents}\t{found.digest}\t{found.shape}")


def listed(folder: Path, kind: str) -> None:
    """Print what is on a shelf, the newest first."""
    shelf = dump_shelf(folder) if kind == "mongodb" else snapshot_shelf(folder)
    for backup in shelf.finished():
        say(f"{backup.manifest.name}\t{backup.manifest.size_bytes} bytes\t{backup.manifest.seconds} s")


def backed_up(make: Callable[[], Backup], shelf: Shelf, retention: Retention, record: Place | None,
              kubeconfig: Path | None) -> None:  # fmt: skip
    """Make a backup, tidy the shelf, and record how it went. Raises KeeperError as `make` does."""
    api = cluster.connect(kubeconfig) if record else None
    before = cluster.read_record(api, record.namespace, record.name) if api and record else Record()
    try:
        backup = make()
        for gone in shelf.tidy(retention):
            say(f"removed {gone}")
        after = before.succeeded(backup, len(shelf.finished()))
        manifest = backup.manifest
        say(f"{manifest.name}: {manifest.size_bytes} bytes in {manifest.seconds} s; {after.kept} are kept")
    except KeeperError as error:
        if api and record:
            cluster.write_record(api, record.namespace, record.name, before.failed(datetime.now(UTC), str(error)))
        raise
    if api and record:
        cluster.write_record(api, record.namespace, record.name, after)


def dump_shelf(folder: Path) -> Shelf:
    return Shelf(folder, "mongodb", dump.ENDING)


def snapshot_shelf(folder: Path) -> Shelf:
    return Shelf(folder, "vault", "snap")
