"""The runner of all layers: which tests it collects, how many run at once, and what it tells of them."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
GIB = 1024**3


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    specification = importlib.util.spec_from_file_location("layers", ROOT / "ci" / "scripts" / "layers.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["layers"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def played(layers: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The runner without environments to make, writing into a folder of the test."""
    monkeypatch.setattr(layers, "environment", lambda name: sys.prefix)
    monkeypatch.setattr(layers, "OUTPUT", tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return layers


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_every_folder_of_tests_belongs_to_one_layer_and_no_layer_asks_for_one_that_is_not_there(
    layers: ModuleType,
) -> None:
    asked = [path for layer in layers.LAYERS for path in layer.paths]
    there = {
        f"tests/{folder.name}"
        for folder in (ROOT / "tests").iterdir()
        if folder.is_dir() and any(folder.rglob("test_*.py"))
    }
    assert sorted(asked) == sorted(there)


@pytest.mark.parametrize(
    ("processors", "memory", "at_once"), [(1, 64 * GIB, 1), (2, 4 * GIB, 1), (2, 12 * GIB, 2), (16, 64 * GIB, 2)]
)
def test_two_layers_run_at_once_where_processors_and_memory_allow(
    layers: ModuleType, processors: int, memory: int, at_once: int
) -> None:
    assert layers.lanes(processors, memory) == at_once


def test_layers_of_two_lanes_do_run_at_once_and_are_reported_in_their_order(played: ModuleType) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def waits_for_the_other() -> None:
        meeting.wait()

    first, second = (
        played.Layer(name, "meets another", checks=(python("print(1)"),), hindrance=waits_for_the_other)
        for name in ("first", "second")
    )
    results = played.run_all([first, second], 2, {})
    assert [(result.layer, result.passed, result.failed) for result in results] == [("first", 1, 0), ("second", 1, 0)]


def test_what_runs_beside_others_bears_its_name_on_every_line(
    played: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert played.call(python("print('a'); print('b'); raise SystemExit(3)"), played.Lines("e2e")) == 3
    assert capsys.readouterr().out == "e2e        | a\ne2e        | b\n"


def test_a_check_that_fails_fails_its_layer_and_shows_what_it_said(
    played: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = played.Layer("lint", "one good, one bad", checks=(python("pass"), python("raise SystemExit('no good')")))
    (result,) = played.run_all([layer], 1, {})
    assert (result.passed, result.failed) == (1, 1)
    assert "no good" in capsys.readouterr().out


def test_a_layer_that_cannot_run_says_why_and_counts_nothing(played: ModuleType) -> None:
    (result,) = played.run_all([played.Layer("e2e", "a cluster", paths=("x",), hindrance=lambda: "needs root")], 1, {})
    assert (result.passed, result.failed, result.note) == (0, 0, "not run: needs root")


def test_pytest_that_ends_without_a_report_is_a_failure(played: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played, "call", lambda command, lines: 4)
    (result,) = played.run_all([played.Layer("unit", "none", paths=("tests/nowhere",))], 1, {})
    assert (result.failed, result.note) == (1, "pytest ended with 4 and wrote no report")


def test_a_chain_made_ahead_ends_at_its_first_failure_and_fails_no_layer(played: ModuleType, tmp_path: Path) -> None:
    def leaves(name: str) -> tuple[str, ...]:
        return python(f"open({str(tmp_path / name)!r}, 'w')")

    chains = {"parts": (leaves("one"), python("raise SystemExit(1)"), leaves("three")), "images": (leaves("other"),)}
    (result,) = played.run_all([played.Layer("lint", "a check", checks=(python("pass"),))], 1, chains)
    assert result.failed == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_nothing_is_made_ahead_where_all_parts_are_built(layers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers.Part, "built", True)
    assert layers.ahead() == {}
    monkeypatch.setattr(layers.Part, "built", False)
    first, later = layers.ahead()["parts"]
    assert "kubernetes" in first
    assert "vault" in later
