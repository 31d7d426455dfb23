"""What `status` and the other verbs tell a person."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from taskservice_local import mounts
from taskservice_local.cli import main
from taskservice_local.status import build_report, duration
from taskservice_local.supervisor import State
from taskservice_local.toolchain import parse_go_version

UP = State("etcd", True, 7, 61.0, ())
DEAD = State("kubelet", False, 8, 0.0, ("the last line",))


def test_a_whole_cluster_is_healthy() -> None:
    report = build_report([UP], ["etcd"], "node-1", node_ready=True)
    assert report.healthy
    assert "1m" in report.text


def test_a_dead_component_is_named_with_its_last_lines() -> None:
    report = build_report([UP, DEAD], ["etcd", "kubelet"], "node-1", node_ready=True)
    assert not report.healthy
    assert "kubelet is dead; its log ends with:\n    the last line" in report.text


def test_a_component_that_was_never_started_counts_as_dead() -> None:
    report = build_report([UP], ["etcd", "kube-proxy"], "node-1", node_ready=True)
    assert not report.healthy
    assert "kube-proxy is dead" in report.text


def test_a_node_that_is_not_ready_is_not_healthy() -> None:
    assert not build_report([UP], ["etcd"], "node-1", node_ready=False).healthy


@pytest.mark.parametrize(("gateway", "healthy"), [(None, True), (True, True), (False, False)])
def test_a_gateway_counts_where_there_is_one(gateway: bool | None, healthy: bool) -> None:
    report = build_report([UP], ["etcd"], "node-1", node_ready=True, gateway=gateway)
    assert report.healthy is healthy
    assert ("gateway" in report.text) is (gateway is not None)


@pytest.mark.parametrize(("seconds", "text"), [(59.9, "59s"), (600, "10m"), (11_100, "3h05m"), (187_200, "2d4h")])
def test_durations_are_said_as_a_person_would(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_mounts_below_a_folder_are_found_deepest_and_latest_first() -> None:
    text = "\n".join(
        f"1 2 0:1 / {point} rw - tmpfs none rw" for point in ("/a", "/a/b", "/ab", "/a/b", "/a/b/c\\040d", "/z")
    )
    assert mounts.below(Path("/a"), text) == ["/a/b/c d", "/a/b", "/a/b", "/a"]


@pytest.mark.parametrize(
    ("text", "version"), [("go version go1.26.8 linux/amd64", (1, 26)), ("go version devel", None)]
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, int] | None) -> None:
    assert parse_go_version(text) == version


@pytest.fixture
def empty_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKSERVICE_STATE", str(tmp_path))
    monkeypatch.setenv("TASKSERVICE_CLUSTER", "none-such")


@pytest.mark.usefixtures("empty_state")
def test_verbs_on_a_cluster_that_is_not_there_say_so_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"]) == 0
    assert main(["status"]) == 1
    assert main(["load-image", os.devnull]) == 1
    told = capsys.readouterr().err
    assert told.count("There is no cluster none-such") == 3
    assert "Traceback" not in told


@pytest.mark.usefixtures("empty_state")
def test_an_unknown_part_or_program_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "emacs"]) == 1
    assert main(["path", "emacs"]) == 1
    assert capsys.readouterr().err.count("error: No part") == 2
