"""Nothing here needs root, a network or a part: machines are made up, and caches lie in temporary folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_local.machine import Machine


class MadeUpMachine(Machine):
    """A machine that has what a test says, and nothing else."""

    is_linux = True
    is_root = True
    has_apt = True
    docker = False
    cgroups = True

    def __init__(self, *has: str, **facts: bool) -> None:
        self.present = set(has)
        for name, value in facts.items():
            setattr(self, name, value)

    def has(self, path: str) -> bool:
        return path in self.present

    def docker_answers(self) -> bool:
        return self.docker

    def has_cgroups(self) -> bool:
        return self.cgroups


@pytest.fixture
def make_machine() -> type[MadeUpMachine]:
    return MadeUpMachine


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in the place of the user's."""
    monkeypatch.setenv("TASKSERVICE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
