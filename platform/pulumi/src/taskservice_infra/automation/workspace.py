"""Where the engine of a stack works: state, passphrase, seed, and the stack files as the engine sees them.

Stack files of the checkout are never written: the engine gets a copy in the state folder, with what it adds to it
(the salt of encryption, the seed).  For a stack whose secrets are in its file already, the file is used as it is.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taskservice_infra.automation.projects import Project

LOCAL = "local"
KEPT = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""What the engine adds to a stack file."""


@dataclass(frozen=True)
class Place:
    """Where a stack's state lies; ``folder`` is readable by its owner only."""

    stack: str
    folder: Path

    @property
    def backend(self) -> str:
        """The address of the backend that holds the state."""
        return os.environ.get("PULUMI_BACKEND_URL") or f"file://{self.folder / 'backend'}"

    @property
    def lock(self) -> Path:
        return self.folder / "run.lock"

    def work(self, project: Project) -> Path:
        """The engine's working folder for a project."""
        return self.folder / "work" / project.name

    def holds(self, project: str) -> bool:
        """Whether the stack of a project has a state; taken for true where only the engine can know."""
        if not self.backend.startswith("file://"):
            return True
        return (Path(self.backend.removeprefix("file://")) / ".pulumi/stacks" / project / f"{self.stack}.json").exists()

    def prepare(self) -> None:
        """Make the folders."""
        for folder in (self.folder, self.folder / "backend"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)

    def passphrase(self) -> str:
        """What state is encrypted with: ``PULUMI_CONFIG_PASSPHRASE``, else a file's content, made the first time."""
        given = os.environ.get("PULUMI_CONFIG_PASSPHRASE")
        if given:
            return given
        file = self.folder / "passphrase"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
    partial.replace(file)


def put_stack_file(place: Place, project: Project) -> Path:
    """Copy the project's files into its working folder, and return that folder; what the engine added stays."""
    work = place.work(project)
    work.mkdir(parents=True, exist_ok=True)
    target = work / f"Pulumi.{place.stack}.yaml"
    given = _mapping(project.stack_file(place.stack))
    write_private(target, yaml.safe_dump(merged(given, _mapping(target), project.name)))
    settings = {"name": project.name, "runtime": "python", "main": str(work)}
    (work / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    return work


def merged(given: Mapping[str, Any], engine: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The stack file as given, with what the engine's copy holds besides: its salt, and the seed."""
    result: dict[str, Any] = dict(given)
    for key in KEPT:
        if key in engine and key not in result:
            result[key] = engine[key]
    seed = f"{project}:seed"
    config = dict(given.get("config") or {})
    if seed in (engine.get("config") or {}) and seed not in config:
        config[seed] = engine["config"][seed]
    result["config"] = config
    return result


def _mapping(file: Path) -> dict[str, Any]:
    return (yaml.safe_load(file.read_text()) or {}) if file.exists() else {}
