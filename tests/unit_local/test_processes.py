"""Only the very process that was started is ever taken for it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskservice_local import processes
from taskservice_local.processes import Record, Records

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are recognised by Linux's /proc")


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Record]:
    record = processes.start("sleeper", ["sleep", "60"], tmp_path / "logs" / "sleeper.log")
    yield record
    processes.stop([record], seconds=1)


def test_a_process_that_was_started_is_alive_in_a_session_of_its_own_until_stopped(sleeper: Record) -> None:
    assert processes.is_alive(sleeper)
    assert os.getsid(sleeper.pid) == sleeper.pid != os.getsid(0)
    processes.stop([sleeper], seconds=2)
    assert not processes.is_alive(sleeper)
    assert not Path(f"/proc/{sleeper.pid}").exists()


def test_a_process_with_the_same_pid_but_another_start_is_not_ours_and_is_not_ended(sleeper: Record) -> None:
    reused = dataclasses.replace(sleeper, started=sleeper.started - 1)
    assert not processes.is_alive(reused)
    processes.stop([reused], seconds=0.1)
    assert processes.is_alive(sleeper)


def test_a_process_of_an_earlier_boot_is_not_ours(sleeper: Record) -> None:
    assert not processes.is_alive(dataclasses.replace(sleeper, boot="another"))


def test_a_process_that_ignores_the_request_is_killed_after_its_time(tmp_path: Path) -> None:
    record = processes.start("deaf", ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], tmp_path / "deaf.log")
    processes.stop([record], seconds=0.3)
    assert not processes.is_alive(record)


def test_a_zombie_counts_as_dead() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(child.pid) is None
    child.wait()


def test_a_name_with_spaces_and_parentheses_does_not_hide_the_start_time(tmp_path: Path) -> None:
    fields = " ".join(["S", *map(str, range(1, 19)), "4711", "0"])
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (a) S (b) {fields}")
    assert processes.start_time(7, tmp_path) == 4711


def test_the_users_environment_does_not_reach_a_component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere.invalid")
    log = tmp_path / "env.log"
    record = processes.start("env", ["env"], log)
    os.waitpid(record.pid, 0)
    assert "PATH=" in log.read_text()
    assert "PROXY" not in log.read_text()


def test_records_survive_and_one_component_has_one_record(tmp_path: Path) -> None:
    records = Records(tmp_path / "processes.json")
    first = Record("etcd", 1, 2, "boot", ("etcd",))
    records.save(first)
    records.save(Record("kubelet", 3, 4, "boot", ("kubelet", "--x")))
    records.save(dataclasses.replace(first, pid=9))
    assert {name: record.pid for name, record in Records(tmp_path / "processes.json").load().items()} == {
        "etcd": 9,
        "kubelet": 3,
    }
    records.forget("etcd")
    assert list(records.load()) == ["kubelet"]


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert processes.last_lines(log, 2) == ["line 9998", "line 9999"]
    assert processes.last_lines(tmp_path / "none.log") == []
