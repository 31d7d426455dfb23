"""A folder of finished backups: each a file and beside it a manifest, which is written last and makes it count.

mongodb-20261124T220501Z.archive       what was saved
mongodb-20261124T220501Z.json          size, SHA-256, when it began, seconds it took, and what the maker adds
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from taskservice_keeper.errors import KeeperError

STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"[a-z][a-z0-9-]{0,40}-\d{8}T\d{6}Z")


class Manifest(BaseModel):
    """What is known of a finished backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    file: str
    began: datetime
    seconds: float
    size_bytes: int
    sha256: str
    details: dict[str, Any] = {}


@dataclass(frozen=True)
class Backup:
    """A finished backup on a shelf."""

    manifest: Manifest
    file: Path


@dataclass(frozen=True)
class Retention:
    """How many are kept: the newest ones, and of each of the last days the newest one."""

    newest: int = 7
    days: int = 14

    def dropped(self, began: Sequence[datetime]) -> list[datetime]:
        """Return those that are given up, oldest first. The newest one never is."""
        ordered = sorted(began, reverse=True)
        kept = set(ordered[: max(1, self.newest)])
        days: dict[object, datetime] = {}
        for moment in ordered:
            days.setdefault(moment.date(), moment)
        kept |= set(list(days.values())[: self.days])
        return sorted(moment for moment in ordered if moment not in kept)


class Shelf:
    """The backups of one kind (`mongodb`, `vault`) in one folder."""

    def __init__(
        self, folder: Path, kind: str, ending: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder = folder
        self.kind = kind
        self._ending = ending
        self._now = now
        self._began: datetime | None = None

    def finished(self) -> list[Backup]:
        """Return all that count, the newest first; what an interrupted one left does not."""
        found = []
        for path in self.folder.glob(f"{self.kind}-*.json"):
            try:
                manifest = Manifest.model_validate_json(path.read_bytes())
            except (ValidationError, OSError):
                continue
            if (self.folder / manifest.file).is_file():
                found.append(Backup(manifest, self.folder / manifest.file))
        return sorted(found, key=lambda backup: backup.manifest.began, reverse=True)

    @contextmanager
    def adding(self) -> Iterator[Path]:
        """Give a path to write to, on the same volume; whatever is left there in the end is removed."""
        if not os.access(self.folder, os.W_OK):
            raise KeeperError(f"The backup volume at {self.folder} cannot be written: is it mounted, with an fsGroup?")
        self._began = self._now().replace(microsecond=0)
        for left in self.folder.glob(f".{self.kind}-*.partial"):
            left.unlink()
        partial = self.folder / f".{self.kind}-{os.getpid()}.partial"
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def add(self, partial: Path, details: dict[str, Any] | None = None) -> Backup:
        """Make a written file a finished backup. Raises KeeperError when it is empty."""
        began = self._began or self._now()
        if partial.stat().st_size == 0:
            raise KeeperError("The backup is empty, so it is not kept.")
        name = f"{self.kind}-{began.strftime(STAMP)}"
        file = self.folder / f"{name}.{self._ending}"
        _to_disk(partial)
        manifest = Manifest(
            name=name,
            file=file.name,
            began=began,
            seconds=round((self._now() - began).total_seconds(), 1),
            size_bytes=partial.stat().st_size,
            sha256=_sha256(partial),
            details=details or {},
        )
        partial.replace(file)
        beside = self.folder / f".{name}.json.partial"
        beside.write_text(manifest.model_dump_json(indent=2) + "\n")
        _to_disk(beside)
        beside.replace(self.folder / f"{name}.json")
        return Backup(manifest, file)

    def find(self, name: str) -> Backup:
        """Return a backup by name, `latest` for the newest. Raises KeeperError that lists what there is."""
        finished = self.finished()
        if name == "latest" and finished:
            return finished[0]
        for backup in finished:
            if backup.manifest.name == name:
                return backup
        known = ", ".join(backup.manifest.name for backup in finished[:10]) or "none"
        raise KeeperError(f"There is no backup {name!r} in {self.folder}. There are: {known}.")

    def verify(self, backup: Backup) -> None:
        """Raises KeeperError when the file is not the one that was written."""
        if _sha256(backup.file) != backup.manifest.sha256:
            raise KeeperError(
                f"{backup.file} is damaged: its checksum is not the one in its manifest. Use an earlier backup."
            )

    def tidy(self, retention: Retention) -> list[str]:
        """Remove what is kept no longer and files of interrupted backups; returns the names that went."""
        finished = {backup.manifest.began: backup for backup in self.finished()}
        gone = [finished[moment] for moment in retention.dropped(list(finished))]
        for backup in gone:
            # The manifest first: a backup without one does not count.
            (self.folder / f"{backup.manifest.name}.json").unlink(missing_ok=True)
            backup.file.unlink(missing_ok=True)
        counted = {backup.file.name for backup in self.finished()}
        for path in self.folder.glob(f"{self.kind}-*.{self._ending}"):
            if path.name not in counted and NAME.fullmatch(path.name.removesuffix(f".{self._ending}")):
                path.unlink(missing_ok=True)
        return [backup.manifest.name for backup in gone]

    def free_bytes(self) -> int:
        """Return what is left on the volume."""
        return shutil.disk_usage(self.folder).free


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _to_disk(file: Path) -> None:
    with file.open("rb+") as content:
        os.fsync(content.fileno())
