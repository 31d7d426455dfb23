"""`python -m taskservice_keeper vault|mongodb COMMAND`: reads the arguments, then runs one command.

What goes wrong ends here with one sentence on standard error and exit status 1. The address of MongoDB, which holds a
password, comes from the environment: KEEPER_MONGODB_URL.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from taskservice_keeper import commands
from taskservice_keeper.backup.shelf import Retention
from taskservice_keeper.commands import Place
from taskservice_keeper.errors import KeeperError
from taskservice_keeper.mongodb.dump import Tools

URL = "KEEPER_MONGODB_URL"


def main(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    options = parser().parse_args(arguments)
    try:
        COMMANDS[options.part, options.command](options, environment)
    except KeeperError as error:
        print(f"keeper {options.part} {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="keeper", description=(__doc__ or "").partition("\n")[0])
    parts = top.add_subparsers(dest="part", required=True)

    vault = parts.add_parser("vault", help="Vault: keys, contents, snapshots").add_subparsers(
        dest="command", required=True
    )
    begin = vault.add_parser("bootstrap", help="open it and add what it lacks")
    _vault(begin, keys=True)
    begin.add_argument("--desired", type=Path, required=True, metavar="FILE", help="what it should hold, as JSON")
    begin.add_argument("--shares", type=_bounded(1, 255), default=1, help="of a new Vault's key")
    begin.add_argument("--threshold", type=_bounded(1, 255), default=1, help="shares that open it")
    unseal = vault.add_parser("unseal", help="keep it open, until told to end")
    _vault(unseal, keys=True, several=True)
    unseal.add_argument("--port", type=_bounded(1, 65535), default=9090, help="of the metrics")
    unseal.add_argument("--record", type=_record, action="append", default=[], metavar="TARGET=NAMESPACE/NAME",
                        help="a record of backups to tell of")  # fmt: skip
    snapshot = vault.add_parser("snapshot", help="take a snapshot")
    _vault(snapshot, keys=False)
    snapshot.add_argument("--role", required=True, help="of the Kubernetes auth method")
    snapshot.add_argument("--auth-mount", default="kubernetes")
    snapshot.add_argument("--token-file", type=Path, required=True, help="the ServiceAccount's token for Vault")
    _shelf(snapshot, writing=True)
    back = vault.add_parser("restore", help="bring a snapshot back")
    _vault(back, keys=True)
    _shelf(back, writing=False)
    back.add_argument("name", help="of the snapshot, or latest")
    _shelf(vault.add_parser("list", help="the snapshots there are"), writing=False)

    mongodb = parts.add_parser("mongodb", help=f"MongoDB: dumps; the address is in {URL}").add_subparsers(
        dest="command", required=True
    )
    saving = mongodb.add_parser("backup", help="dump the replica set")
    _shelf(saving, writing=True)
    saving.add_argument("--kubeconfig", type=Path)
    back = mongodb.add_parser("restore", help="bring a dump back")
    _shelf(back, writing=False)
    back.add_argument("name", help="of the dump, or latest")
    back.add_argument("--replace", action="store_true", help="although the set holds data, which is dropped")
    mongodb.add_parser("contents", help="number, digest and indexes of every collection")
    _shelf(mongodb.add_parser("list", help="the dumps there are"), writing=False)
    return top


def _vault(command: argparse.ArgumentParser, *, keys: bool, several: bool = False) -> None:
    command.add_argument("--address", required=True, action="append" if several else "store", metavar="URL")
    command.add_argument("--ca-file", help="certificate of whoever signed Vault's")
    command.add_argument("--kubeconfig", type=Path, help="instead of the pod's own account")
    if keys:
        command.add_argument("--keys", type=_place, required=True, metavar="NAMESPACE/NAME", help="Secret of the keys")


def _shelf(command: argparse.ArgumentParser, *, writing: bool) -> None:
    command.add_argument("--folder", type=Path, required=True, help="where backups lie")
    if writing:
        command.add_argument("--keep", type=_bounded(1, 1000), default=7, help="the newest ones")
        command.add_argument("--keep-days", type=_bounded(0, 1000), default=14, help="one of each of the last days")
        command.add_argument("--record", type=_place, metavar="NAMESPACE/NAME", help="ConfigMap that tells how it went")


def _place(text: str) -> Place:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError("must be NAMESPACE/NAME")
    return Place(namespace, name)


def _record(text: str) -> tuple[str, Place]:
    target, _, place = text.partition("=")
    return target, _place(place)


def _bounded(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:6]) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")
        return int(text)

    return number


def _url(environment: Mapping[str, str]) -> str:
    url = environment.get(URL, "")
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise KeeperError(f"{URL} is not set to an address of MongoDB (mongodb://…).")
    return url


def _retention(options: argparse.Namespace) -> Retention:
    return Retention(options.keep, options.keep_days)


COMMANDS: dict[tuple[str, str], Callable[[argparse.Namespace, Mapping[str, str]], None]] = {
    ("vault", "bootstrap"): lambda o, _: commands.vault_bootstrap(
        o.address, o.ca_file, o.keys, o.desired, o.kubeconfig, o.shares, o.threshold
    ),
    ("vault", "unseal"): lambda o, _: commands.vault_unseal(
        o.address, o.ca_file, o.keys, o.kubeconfig, o.port, dict(o.record)
    ),
    ("vault", "snapshot"): lambda o, _: commands.vault_snapshot(
        o.address, o.ca_file, o.auth_mount, o.role, o.token_file, o.folder, _retention(o), o.record, o.kubeconfig
    ),
    ("vault", "restore"): lambda o, _: commands.vault_restore(
        o.address, o.ca_file, o.keys, o.folder, o.name, o.kubeconfig
    ),
    ("vault", "list"): lambda o, _: commands.listed(o.folder, "vault"),
    ("mongodb", "backup"): lambda o, env: commands.mongodb_backup(
        _url(env), o.folder, _retention(o), o.record, o.kubeconfig, Tools()
    ),
    ("mongodb", "restore"): lambda o, env: commands.mongodb_restore(
        _url(env), o.folder, o.name, o.replace, Tools()
    ),
    ("mongodb", "contents"): lambda _, env: commands.mongodb_contents(_url(env)),
    ("mongodb", "list"): lambda o, _: commands.listed(o.folder, "mongodb"),
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
