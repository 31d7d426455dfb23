"""A component is started once, restarted when it died or changed, and its death is told with its last words."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskservice_local import processes
from taskservice_local.controls import Component
from taskservice_local.errors import LocalError
from taskservice_local.supervisor import Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are recognised by Linux's /proc")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "processes.json", tmp_path / "logs")
    yield made
    made.stop(seconds=1)


def sleeping(seconds: int = 60, **files: str) -> Component:
    return Component("sleeper", ("sleep", str(seconds)), {Path(path): text for path, text in files.items()})


def pid(supervisor: Supervisor) -> int:
    return supervisor.records.load()["sleeper"].pid


def test_a_component_that_runs_as_described_is_left_alone(supervisor: Supervisor) -> None:
    assert supervisor.ensure(sleeping())
    first = pid(supervisor)
    assert not supervisor.ensure(sleeping())
    assert pid(supervisor) == first


def test_a_component_that_was_killed_is_started_again(supervisor: Supervisor) -> None:
    supervisor.ensure(sleeping())
    first = pid(supervisor)
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert supervisor.ensure(sleeping())
    assert pid(supervisor) != first


def test_a_changed_command_line_or_a_changed_file_restarts_it(supervisor: Supervisor, tmp_path: Path) -> None:
    config = tmp_path / "config" / "sleeper.json"
    supervisor.ensure(sleeping(60, **{str(config): "one"}))
    assert not supervisor.ensure(sleeping(60, **{str(config): "one"}))
    assert supervisor.ensure(sleeping(60, **{str(config): "two"}))
    assert config.read_text() == "two"
    assert supervisor.ensure(sleeping(61, **{str(config): "two"}))


def test_the_death_of_a_component_is_told_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    supervisor.ensure(Component("shortlived", ("sh", "-c", "echo no such luck; exit 3")))
    record = supervisor.records.load()["shortlived"]
    while processes.is_alive(record):
        time.sleep(0.01)
    with pytest.raises(LocalError, match=r"shortlived died.*\n.*no such luck"):
        supervisor.check()
    assert [(state.component, state.alive) for state in supervisor.states()] == [("shortlived", False)]


def test_a_repair_does_not_stumble_over_a_component_whose_turn_has_not_come(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.ensure(Component("later", ("true",)))
    record = supervisor.records.load()["later"]
    while processes.is_alive(record):
        time.sleep(0.01)
    repairing = Supervisor(tmp_path / "processes.json", tmp_path / "logs")
    repairing.ensure(sleeping())
    repairing.check()


def test_stop_ends_only_those_that_are_named(supervisor: Supervisor) -> None:
    supervisor.ensure(sleeping())
    supervisor.ensure(Component("other", ("sleep", "60")))
    supervisor.stop(["other"], seconds=1)
    assert list(supervisor.records.load()) == ["sleeper"]
    supervisor.check()
