"""Dumps of a whole replica set by `mongodump`, and bringing one back by `mongorestore`.

A dump holds every collection and the operations that went on meanwhile (`--oplog`), so that what is restored is the
state of one moment: the end of the dump. Passwords reach the tools in a file, never as an argument.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, PyMongoError

from taskservice_keeper.backup.shelf import Backup, Shelf
from taskservice_keeper.errors import KeeperError, NotYet

ENDING = "archive.gz"
NOT_OURS = frozenset({"admin", "local", "config"})


@dataclass(frozen=True)
class Tools:
    """The database tools; `bounds` is how long one of them may run, in seconds."""

    mongodump: str = "mongodump"
    mongorestore: str = "mongorestore"
    bounds: float = 4 * 3600

    def dump(self, url: str, archive: Path) -> None:
        """Write a dump of everything. Raises KeeperError with the tool's last line."""
        self._run(
            [self.mongodump, "--oplog", "--gzip", f"--archive={archive}", "--readPreference=secondaryPreferred"], url
        )

    def restore(self, url: str, archive: Path) -> None:
        """Bring a dump back, collections of the same name replaced, and then its operations."""
        self._run(
            [self.mongorestore, "--gzip", f"--archive={archive}", "--drop", "--oplogReplay", "--stopOnError",
             "--numInsertionWorkersPerCollection=2"],
            url,
        )  # fmt: skip

    def _run(self, command: list[str], url: str) -> None:
        program = command[0]
        if shutil.which(program) is None:
            raise KeeperError(f"{program} is not in this image: build the part mongo-tools.")
        with _configuration(url) as file:
            try:
                done = subprocess.run(
                    [*command, f"--config={file}"],
                    capture_output=True, text=True, errors="replace", timeout=self.bounds, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise KeeperError(f"{Path(program).name} did not end within {self.bounds:.0f} s.") from None
        if done.returncode != 0:
            raise KeeperError(f"{Path(program).name} failed: {_last_failure(done.stderr)}")


@contextmanager
def _configuration(url: str) -> Iterator[Path]:
    """A file for the tools that holds the address with its password, readable by this process's user alone."""
    handle, name = tempfile.mkstemp(prefix="mongo-tools-", suffix=".yaml")
    try:
        with os.fdopen(handle, "w") as file:
            # JSON is YAML, and quotes everything.
            json.dump({"uri": url}, file)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _last_failure(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    told = [line for line in lines if "Failed" in line or "error" in line.lower()] or lines or ["it said nothing"]
    # The address that the tool may repeat holds a password.
    words = [word if "://" not in word else "(address)" for word in told[-1].split()]
    return " ".join(words)[:400]


def back_up(url: str, shelf: Shelf, tools: Tools) -> Backup:
    """Put a dump on the shelf. Raises KeeperError, NotYet when no member answers."""
    details = _version(url)
    with shelf.adding() as partial:
        tools.dump(url, partial)
        return shelf.add(partial, details)


def restore(url: str, backup: Backup, shelf: Shelf, tools: Tools, *, replace: bool, say: Callable[[str], None]) -> None:
    """Bring a backup back into a replica set.

    Raises KeeperError when the file is damaged, or when the set holds data and `replace` is not given. With it, every
    database of the services is dropped first: what came after the backup is gone then.
    """
    shelf.verify(backup)
    say(f"{backup.manifest.name}: {backup.manifest.size_bytes} bytes, checksum as recorded")
    with connected(url) as client:
        present = sorted(set(client.list_database_names()) - NOT_OURS)
        if present and not replace:
            raise KeeperError(
                f"The replica set holds data ({', '.join(present)}). Add --replace to put the backup in its place; what"
                " was written after the backup is lost then."
            )
        for database in present:
            client.drop_database(database)
            say(f"dropped {database}")
    tools.restore(url, backup.file)
    say("restored")


@contextmanager
def connected(url: str, seconds: float = 60) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client whose answers a majority holds. Raises NotYet or KeeperError without the address."""
    try:
        # What the address itself says of it comes first.
        patience: Any = {} if "serverSelectionTimeoutMS" in url else {"serverSelectionTimeoutMS": int(seconds * 1000)}
        with MongoClient(url, w="majority", readConcernLevel="majority", **patience) as client:
            yield client
    except ConfigurationError as error:
        raise KeeperError(f"The address of MongoDB cannot be used: {type(error).__name__}.") from None
    except PyMongoError as error:
        detail = (getattr(error, "details", None) or {}).get("codeName") or type(error).__name__
        if getattr(error, "code", None):
            raise KeeperError(f"MongoDB refused: {detail}.") from None
        raise NotYet(f"MongoDB does not answer as it should: {detail}.") from None


def _version(url: str) -> dict[str, Any]:
    with connected(url) as client:
        return {"server": client.server_info()["version"], "replicaSet": client.admin.command("hello").get("setName")}
