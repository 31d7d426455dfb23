"""The verbs, up to where the engine begins: nothing is touched when a setting is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from infrakit.machine import FakeMachine
from taskservice_infra.automation import runs
from taskservice_infra.automation.cli import main
from taskservice_infra.automation.engine import Engine
from taskservice_infra.automation.projects import FOLDER, PROJECTS, Project
from taskservice_infra.kubeconfigs import Access


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A copy of the local stack's files."""
    for project in PROJECTS:
        (tmp_path / project.name).mkdir()
        text = (FOLDER / project.name / "Pulumi.local.yaml").read_text()
        (tmp_path / project.name / "Pulumi.local.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the engine, in order."""
    asked: list[str] = []

    def recording(verb: str):
        def record(engine: Engine, project: Project) -> dict[str, int]:
            asked.append(f"{verb} {project.name}")
            return {}

        return record

    for verb in ("up", "preview", "down"):
        monkeypatch.setattr(runs, verb, recording(verb))
    return asked


NAMES = [project.name for project in PROJECTS]


def test_up_starts_the_cluster_and_brings_every_project_up_in_order(
    settings: Path, done: list[str], tmp_path: Path
) -> None:
    machine = FakeMachine(tmp_path)
    assert main(["up", "--settings", str(settings)], machine) == 0
    assert machine.asked[0] == "up None"
    assert done == [f"up {name}" for name in NAMES]


def test_down_goes_the_opposite_way(settings: Path, done: list[str], tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, Access("/k", "c"))
    assert main(["down", "--settings", str(settings), *NAMES], machine) == 0
    assert (done, machine.asked) == ([f"down {name}" for name in reversed(NAMES)], [])


def test_down_of_a_whole_stack_on_this_machine_ends_its_cluster_with_all_that_is_in_it(
    settings: Path, done: list[str], tmp_path: Path
) -> None:
    machine = FakeMachine(tmp_path, Access("/k", "c"))
    assert main(["down", "--settings", str(settings)], machine) == 0
    assert (done, machine.asked) == ([], ["down"])


def test_down_of_one_project_leaves_the_cluster(settings: Path, done: list[str], tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, Access("/k", "c"))
    assert main(["down", "--settings", str(settings), "apps"], machine) == 0
    assert (done, machine.asked) == (["down apps"], [])


def test_down_without_a_cluster_removes_what_is_left(settings: Path, done: list[str], tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    assert main(["down", "--settings", str(settings)], machine) == 0
    assert (done, machine.asked) == ([], ["down"])


def test_a_preview_needs_a_cluster_that_is_up(
    settings: Path, done: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--settings", str(settings)], FakeMachine(tmp_path)) == 1
    assert "not up" in capsys.readouterr().err
    assert done == []


def test_a_wrong_setting_is_told_before_a_cluster_is_started(
    settings: Path, done: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings / "data" / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("data:mongodb: {provider: dev}", "data:mongodb: {provider: oracle}"))
    machine = FakeMachine(tmp_path)
    assert main(["up", "--settings", str(settings)], machine) == 1
    told = capsys.readouterr().err
    assert "error: Pulumi.local.yaml: data:mongodb.provider: 'oracle' is not known; use one of" in told
    assert "Traceback" not in told
    assert (done, machine.asked) == ([], [])


def test_a_project_that_there_is_not_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "dta"], FakeMachine(tmp_path)) == 1
    assert "There is no project dta" in capsys.readouterr().err
