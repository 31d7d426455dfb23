"""Jars: everything that a part's pom names, fetched once by Maven, and compared with the committed checksums."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from taskservice_local import machine
from taskservice_local.commands import run
from taskservice_local.errors import LocalError
from taskservice_local.locks import only_one
from taskservice_local.paths import cache_root
from taskservice_local.progress import step


def ensure(part: Path) -> Path:
    """Return the folder of all jars of a part: a folder with ``pom.xml`` and ``checksums.txt`` (sha256, name).

    Raises LocalError when there is no Maven, a jar cannot be fetched, or one is not the one that was pinned.
    """
    checksums = (part / "checksums.txt").read_text()
    key = hashlib.sha256(checksums.encode()).hexdigest()[:12]
    folder = cache_root() / "parts" / part.name / key
    if not folder.exists():
        machine.install((machine.MAVEN,), machine.Machine())
        with only_one(cache_root() / "locks" / f"jars-{part.name}.lock", f"fetching {part.name}"):
            if not folder.exists():
                _fetch(part, folder, checksums)
    return folder


def _fetch(part: Path, folder: Path, checksums: str) -> None:
    """Put the folder in place by one rename, so that a half-filled one is never seen."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    maven = machine.program("mvn")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "jars"
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        with step(f"fetching the jars of {part.name}"):
            run([maven, "-q", "-B", "-f", part / "pom.xml", *goal], timeout=900)
        wanted = {name: digest for digest, name in map(str.split, checksums.splitlines())}
        found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in fresh.iterdir()}
        if found != wanted:
            names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            raise LocalError(f"Jars of {part.name} are not the pinned ones: {', '.join(names)}.")
        fresh.rename(folder)


def put(part: Path, context: Path) -> None:
    """Copy a part's jars into the folder ``jars`` of an image's context."""
    shutil.copytree(ensure(part), context / "jars")
