"""`doctor`: what is missing on this machine, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass

from taskservice_local.machine import IMAGE_NEEDS, MAVEN, NEEDS, TEST_NEEDS, Machine, Need, missing
from taskservice_local.parts import NEEDED_AFTERWARDS, NEEDED_FOR_A_NODE
from taskservice_local.paths import cache_root


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `fatal` ones keep the built cluster from starting."""

    text: str
    remedy: str
    fatal: bool = True


def examine(machine: Machine) -> list[Finding]:
    """Return what is missing, the fatal findings first."""
    findings: list[Finding] = []
    if not machine.is_linux:
        findings.append(
            Finding("the built cluster runs on Linux only", "start Docker, then `CLUSTER=kind make cluster`")
        )
        return findings
    if not machine.is_root:
        findings.append(Finding("the built cluster needs root", "sudo make cluster"))
    if not machine.has_cgroups():
        findings.append(Finding("no cgroups are mounted", "mount -t cgroup2 none /sys/fs/cgroup"))
    for need in missing((*NEEDS, *IMAGE_NEEDS, *_test_needs()), machine):
        findings.append(
            Finding(f"{need.what} is missing ({need.why})", f"apt-get install {need.package}", need in NEEDS)
        )
    unbuilt = [part.name for part in (*NEEDED_FOR_A_NODE, *NEEDED_AFTERWARDS) if not part.built]
    if unbuilt:
        findings.append(
            Finding(
                f"not built yet: {', '.join(unbuilt)} (`up` builds them)",
                f"python -m taskservice_local build {' '.join(unbuilt)}",
                fatal=False,
            )
        )
    return findings


def _test_needs() -> tuple[Need, ...]:
    """What the integration tests start; Maven only until Kafka has been fetched."""
    fetched = any((cache_root() / "parts" / "kafka").glob("*/kafka_*.jar"))
    return TEST_NEEDS if fetched else (*TEST_NEEDS, MAVEN)


def report(findings: list[Finding]) -> str:
    """Return the findings as text for a person."""
    if not findings:
        return "Nothing is missing: `python -m taskservice_local up` will work."
    lines: list[str] = []
    for finding in findings:
        lines += [f"- {finding.text}", f"    {finding.remedy}"]
    return "\n".join(lines)
