"""The demonstration's report: a table for people, ``report.json`` for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskservice_demo.load import Sample, quantile
from taskservice_demo.story import Phase


def build_report(phases: Sequence[Phase], samples: Sequence[Sample], seconds: float) -> dict[str, Any]:
    """Figures by phase: times in seconds, latencies in milliseconds, requests by the revision that answered."""
    return {
        "requests_sent": len(samples),
        "requests_failed": sum(1 for sample in samples if sample.failure),
        "seconds": round(seconds, 1),
        "phases": [_phase(phase, samples) for phase in phases],
        "failures": [f"{sample.kind}: {sample.failure}" for sample in samples if sample.failure][:20],
    }


def _phase(phase: Phase, samples: Sequence[Sample]) -> dict[str, Any]:
    mine = [sample for sample in samples if phase.started_at <= sample.ended_at < phase.ended_at]
    answered = [sample.seconds * 1000 for sample in mine if not sample.failure and sample.kind != "login"]
    return {
        "name": phase.name,
        "seconds": round(phase.ended_at - phase.started_at, 1),
        "requests_sent": len(mine),
        "requests_failed": sum(1 for sample in mine if sample.failure),
        "latency_ms": {"p50": round(quantile(answered, 0.5), 1), "p99": round(quantile(answered, 0.99), 1)},
        "answered_by": dict(Counter(sample.revision for sample in mine if sample.revision)),
        "outcome": phase.outcome,
    }


def render_report(report: dict[str, Any]) -> str:
    """The report as a table."""
    lines = [f"{'phase':<28} {'seconds':>8} {'requests':>9} {'failed':>7} {'p50 ms':>8} {'p99 ms':>8}"]
    for phase in report["phases"]:
        latency = phase["latency_ms"]
        lines.append(
            f"{phase['name']:<28} {phase['seconds']:>8.1f} {phase['requests_sent']:>9} {phase['requests_failed']:>7} "
            f"{latency['p50']:>8.1f} {latency['p99']:>8.1f}"
        )
        if phase["outcome"]:
            lines.append(f"    {phase['outcome']}")
    lines.append("")
    lines.append(
        f"{report['requests_sent']} requests sent (logins are left out of the latencies), "
        f"{report['requests_failed']} failed, {report['seconds']:.0f} s in all"
    )
    lines += [f"  failed: {failure}" for failure in report["failures"]]
    return "\n".join(lines)


def write_report(report: dict[str, Any], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(report, indent=2) + "\n")
