"""What a first demonstration needs is made beside the cluster, and only the cluster decides how that ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taskservice_demo import ahead
from taskservice_local.image_catalogue import names
from taskservice_local.parts import Part


def python(program: str) -> ahead.Command:
    return (sys.executable, "-c", program)


def waiting_for(file: Path) -> ahead.Command:
    return python(
        f"import pathlib, sys, time\n"
        f"for _ in range(600):\n"
        f"    if pathlib.Path({str(file)!r}).exists(): sys.exit(0)\n"
        f"    time.sleep(0.05)\n"
        f"sys.exit(9)"
    )


def touching(file: Path) -> ahead.Command:
    return python(f"import pathlib; pathlib.Path({str(file)!r}).touch()")


def test_chains_run_while_the_cluster_comes_up_and_their_commands_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    chains = {"images": (touching(first), touching(second)), "environment": (waiting_for(second),)}
    assert ahead.run_beside(waiting_for(second), chains) == 0
    assert first.exists()


def test_a_chain_that_fails_ends_there_and_does_not_count(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    never = tmp_path / "never"
    assert ahead.run_beside(python(""), {"images": (python("raise SystemExit(3)"), touching(never))}) == 0
    assert not never.exists()
    assert "images could not be made; that is tried again" in capfd.readouterr().err


def test_the_cluster_decides_the_exit_status() -> None:
    assert ahead.run_beside(python("raise SystemExit(5)"), {}) == 5


def test_nothing_is_made_ahead_where_the_parts_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    beside: list[dict[str, tuple[ahead.Command, ...]]] = []
    monkeypatch.setattr(ahead, "run_beside", lambda _, chains: beside.append(chains) or 0)
    for built in (True, False):
        monkeypatch.setattr(Part, "built", property(lambda _, built=built: built))
        assert ahead.main() == 0
    assert beside == [{}, ahead.CHAINS]


def test_every_image_that_is_made_ahead_is_in_the_catalogue() -> None:
    images = [command[-1] for chain in ahead.CHAINS.values() for command in chain if "image" in command]
    assert set(images) <= set(names())
