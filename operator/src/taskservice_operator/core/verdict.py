"""Analysis: tallies of measurements, verdicts, and which measurement is due next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from taskservice_operator.api.spec import Metric
from taskservice_operator.api.status import AnalysisRun
from taskservice_operator.core.model import Measurement, Note

PRE = "PrePromotion"
POST = "PostPromotion"


@dataclass(frozen=True)
class Verdict:
    """``state``: Pass, Fail or Running, over all metrics of a stage; ``note`` says which metric and what was seen."""

    state: str
    note: Note | None = None


def start_runs(metrics: Iterable[Metric], stage: str, revision: str) -> tuple[AnalysisRun, ...]:
    """Fresh tallies, one per metric."""
    return tuple(AnalysisRun(stage, metric.name, revision, dry_run=metric.dry_run) for metric in metrics)


def align(
    runs: tuple[AnalysisRun, ...], metrics: Iterable[Metric], stage: str, revision: str
) -> tuple[AnalysisRun, ...]:
    """The tallies that ``metrics`` call for now: the spec's metrics may change while they are being measured."""
    known = {run.metric: run for run in runs if run.stage == stage and run.revision == revision}
    return tuple(
        replace(known.get(metric.name) or AnalysisRun(stage, metric.name, revision), dry_run=metric.dry_run)
        for metric in metrics
    )


def record(
    runs: tuple[AnalysisRun, ...], metrics: Iterable[Metric], measurements: Iterable[Measurement]
) -> tuple[AnalysisRun, ...]:
    """Take finished measurements into the tallies.  Each index counts once, so a repeated report changes nothing."""
    by_name = {metric.name: metric for metric in metrics}
    tallied = {(run.stage, run.metric, run.revision): run for run in runs}
    for measurement in sorted(measurements, key=lambda m: (m.stage, m.metric, m.index)):
        key = (measurement.stage, measurement.metric, measurement.revision)
        run, metric = tallied.get(key), by_name.get(measurement.metric)
        if run is None or metric is None or measurement.index != run.measured or run.verdict != "Running":
            continue
        tallied[key] = _judge(_count(run, measurement), metric)
    return tuple(tallied[(run.stage, run.metric, run.revision)] for run in runs)


def _count(run: AnalysisRun, measurement: Measurement) -> AnalysisRun:
    error = measurement.verdict == "Error"
    return replace(
        run,
        measured=run.measured + 1,
        failed=run.failed + (measurement.verdict == "Fail"),
        errors=run.errors + error,
        consecutive_errors=run.consecutive_errors + 1 if error else 0,
        last_measured_at=measurement.finished_at.replace(microsecond=0),
        message=measurement.message,
    )


def _judge(run: AnalysisRun, metric: Metric) -> AnalysisRun:
    if run.failed > metric.failure_limit or run.consecutive_errors > metric.consecutive_error_limit:
        return replace(run, verdict="Fail")
    if run.measured - run.errors >= metric.count:
        return replace(run, verdict="Pass")
    return run


def verdict(runs: Iterable[AnalysisRun], stage: str, revision: str) -> Verdict:
    """The verdict of a stage.  A failed dry run counts as passed; no metrics at all is Pass."""
    running = None
    for run in runs:
        if run.stage != stage or run.revision != revision or run.dry_run:
            continue
        if run.verdict == "Fail":
            return Verdict("Fail", Note(f"{stage}AnalysisFailed", f"{run.metric}: {run.message}", warning=True))
        if run.verdict == "Running":
            running = running or run
    if running is not None:
        return Verdict("Running", Note(f"{stage}Analysis", f"measuring {running.metric} ({running.measured} done)"))
    return Verdict("Pass")


def due_at(run: AnalysisRun, metric: Metric, stage_since: datetime) -> datetime | None:
    """When the next measurement of a run is to be taken; None when it has its verdict."""
    if run.verdict != "Running":
        return None
    if run.last_measured_at is None:
        return stage_since + timedelta(seconds=metric.initial_delay_seconds)
    return run.last_measured_at + timedelta(seconds=metric.interval_seconds)
