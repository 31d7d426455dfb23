"""Jars that a pom names: only those that were pinned are kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from taskservice_local import jars
from taskservice_local.errors import LocalError

CONTENT = b"a class or two"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "pom.xml").write_text("<project/>")
    (folder / "checksums.txt").write_text(f"{hashlib.sha256(CONTENT).hexdigest()}  a.jar\n")
    return folder


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """What Maven fetches, by name, in place of Maven."""
    fetched = {"a.jar": CONTENT}

    def run(command: list[str | Path], timeout: float) -> str:
        (place,) = [str(word).partition("=")[2] for word in command if "outputDirectory" in str(word)]
        Path(place).mkdir()
        for name, content in fetched.items():
            (Path(place) / name).write_bytes(content)
        return ""

    monkeypatch.setenv("TASKSERVICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jars.machine, "install", lambda needs, machine: None)
    monkeypatch.setattr(jars.machine, "program", lambda name: name)
    monkeypatch.setattr(jars, "run", run)
    return fetched


def test_what_was_fetched_once_is_kept(part: Path, maven: dict[str, bytes]) -> None:
    folder = jars.ensure(part)
    assert [jar.read_bytes() for jar in folder.iterdir()] == [CONTENT]
    maven["a.jar"] = b"not asked for again"
    assert jars.ensure(part) == folder


@pytest.mark.parametrize("fetched", [{"a.jar": b"another"}, {}, {"a.jar": CONTENT, "b.jar": b"one too many"}])
def test_a_jar_that_is_not_the_pinned_one_is_named_and_nothing_is_kept(
    part: Path, maven: dict[str, bytes], fetched: dict[str, bytes], tmp_path: Path
) -> None:
    maven.clear()
    maven.update(fetched)
    with pytest.raises(LocalError, match=r"Jars of broker are not the pinned ones: [ab]\.jar\."):
        jars.ensure(part)
    assert list((tmp_path / "cache" / "parts" / "broker").iterdir()) == []


def test_the_context_of_an_image_gets_them_in_a_folder_of_their_own(
    part: Path, maven: dict[str, bytes], tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    jars.put(part, context)
    assert (context / "jars" / "a.jar").read_bytes() == CONTENT
