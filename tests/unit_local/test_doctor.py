"""The doctor names what is missing, why it is needed, and the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_local import doctor, machine
from taskservice_local.errors import LocalError
from taskservice_local.machine import IMAGE_NEEDS, MAVEN, NEEDS, TEST_NEEDS

EVERYTHING = [need.path for need in (*NEEDS, *IMAGE_NEEDS, *TEST_NEEDS, MAVEN)]


def test_a_missing_program_is_named_with_its_reason_and_its_package(make_machine, cache: Path) -> None:
    has = [path for path in EVERYTHING if path != "nft"]
    text = doctor.report(doctor.examine(make_machine(*has)))
    assert "nft is missing (carries Services (kube-proxy))" in text
    assert "apt-get install nftables" in text
    assert "containerd is missing" not in text


def test_parts_that_are_not_built_are_listed_but_do_not_count_as_a_fault(make_machine, cache: Path) -> None:
    findings = doctor.examine(make_machine(*EVERYTHING))
    assert [finding.fatal for finding in findings] == [False]
    assert "kubernetes" in findings[0].remedy


def test_a_machine_that_has_everything_is_told_so(make_machine, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskservice_local.parts.Part.built", True)
    assert "Nothing is missing" in doctor.report(doctor.examine(make_machine(*EVERYTHING)))


def test_tools_for_images_are_not_needed_for_the_cluster_itself(make_machine, cache: Path) -> None:
    without = doctor.examine(make_machine(*[need.path for need in NEEDS]))
    assert not any(finding.fatal for finding in without)


def test_servers_that_only_tests_start_are_named_with_their_packages(make_machine, cache: Path) -> None:
    findings = doctor.examine(make_machine(*[need.path for need in (*NEEDS, *IMAGE_NEEDS)]))
    assert not any(finding.fatal for finding in findings)
    text = doctor.report(findings)
    for said in ("RabbitMQ is missing", "Java is missing", "Maven is missing (fetches Kafka"):
        assert said in text
    for package in ("rabbitmq-server", "openjdk-17-jre-headless", "maven"):
        assert f"apt-get install {package}\n" in text + "\n"


def test_maven_is_not_missed_once_kafka_was_fetched(make_machine, cache: Path) -> None:
    machine = make_machine(*[path for path in EVERYTHING if path != MAVEN.path])
    assert "Maven" in doctor.report(doctor.examine(machine))
    jar = cache / "parts" / "kafka" / "0123" / "kafka_2.13-4.1.1.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert "Maven" not in doctor.report(doctor.examine(machine))


@pytest.mark.parametrize(
    ("facts", "said"),
    [({"is_root": False}, "needs root"), ({"is_linux": False}, "Linux only"), ({"cgroups": False}, "cgroups")],
)
def test_a_machine_that_cannot_run_it_is_told_why(make_machine, cache: Path, facts: dict[str, bool], said: str) -> None:
    findings = doctor.examine(make_machine(*EVERYTHING, **facts))
    assert findings[0].fatal
    assert said in findings[0].text


def test_without_root_the_command_for_missing_packages_is_given_and_nothing_is_installed(make_machine) -> None:
    with pytest.raises(LocalError, match="sudo apt-get install nftables"):
        machine.install((next(need for need in NEEDS if need.path == "nft"),), make_machine(is_root=False))


def test_with_root_the_list_is_printed_before_anything_is_installed(
    make_machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    monkeypatch.setattr(machine, "run", lambda argv, **_: told.append(capsys.readouterr().err) or "")
    machine.install(NEEDS, make_machine(*[need.path for need in NEEDS if need.path not in {"nft", "conntrack"}]))
    assert "nftables: carries Services" in told[0]
    assert "conntrack: " in told[0]


def test_stale_package_lists_are_updated_once_and_the_installation_tried_again(
    make_machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []

    def run(argv: list[str], **_: object) -> str:
        commands.append(argv[1])
        if commands == ["install"]:
            raise LocalError("Unable to locate package")
        return ""

    monkeypatch.setattr(machine, "run", run)
    machine.install(NEEDS, make_machine())
    assert commands == ["install", "update", "install"]
