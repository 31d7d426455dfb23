"""Tallies and verdicts of an analysis."""

from __future__ import annotations

import pytest

from taskservice_operator.api.spec import HttpCheck, Metric
from taskservice_operator.api.status import AnalysisRun
from taskservice_operator.core.model import Measurement
from taskservice_operator.core.verdict import PRE, align, due_at, record, start_runs, verdict
from testkit.builders import at

SMOKE = Metric("smoke", "http", HttpCheck(), initial_delay_seconds=7, interval_seconds=5, count=3, failure_limit=1)


def measured(outcomes: str, metric: Metric = SMOKE) -> AnalysisRun:
    """A run after outcomes such as ``"pfe"``: pass, fail, error."""
    runs = start_runs((metric,), PRE, "r1")
    words = {"p": "Pass", "f": "Fail", "e": "Error"}
    for index, letter in enumerate(outcomes):
        runs = record(runs, (metric,), [Measurement("r1", PRE, "smoke", index, words[letter], "seen", at(index))])
    return runs[0]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("", "Running"),
        ("pp", "Running"),
        ("ppp", "Pass"),
        ("pfp", "Pass"),
        ("ff", "Fail"),
        ("pff", "Fail"),
        ("epep", "Running"),
        ("epepp", "Pass"),
        ("eeee", "Running"),
        ("eeeee", "Fail"),
        ("eeeepeeee", "Running"),
    ],
)
def test_verdict_of_a_metric(outcomes: str, expected: str) -> None:
    assert measured(outcomes).verdict == expected


def test_nothing_counts_after_the_verdict() -> None:
    assert measured("ffp") == measured("ff")


@pytest.mark.parametrize(
    "stray",
    [
        Measurement("r2", PRE, "smoke", 0, "Fail", "", at(0)),
        Measurement("r1", "PostPromotion", "smoke", 0, "Fail", "", at(0)),
        Measurement("r1", PRE, "other", 0, "Fail", "", at(0)),
        Measurement("r1", PRE, "smoke", 1, "Fail", "", at(0)),
    ],
)
def test_measurements_of_something_else_do_not_count(stray: Measurement) -> None:
    runs = start_runs((SMOKE,), PRE, "r1")
    assert record(runs, (SMOKE,), [stray]) == runs


def test_a_failed_dry_run_does_not_fail_the_stage() -> None:
    dry = AnalysisRun(PRE, "smoke", "r1", verdict="Fail", dry_run=True)
    assert verdict([dry], PRE, "r1").state == "Pass"


def test_one_failure_outweighs_everything_and_is_named() -> None:
    runs = [AnalysisRun(PRE, "a", "r1"), AnalysisRun(PRE, "b", "r1", verdict="Fail", message="503")]
    outcome = verdict(runs, PRE, "r1")
    assert outcome.state == "Fail"
    assert outcome.note is not None
    assert outcome.note.message == "b: 503"


def test_another_revisions_failure_is_not_ours() -> None:
    assert verdict([AnalysisRun(PRE, "a", "r2", verdict="Fail")], PRE, "r1").state == "Pass"


def test_the_first_measurement_waits_for_the_initial_delay_and_later_ones_for_the_interval() -> None:
    assert due_at(measured(""), SMOKE, at(0)) == at(7)
    assert due_at(measured("pp"), SMOKE, at(0)) == at(1 + 5)
    assert due_at(measured("ppp"), SMOKE, at(0)) is None


def test_fractions_of_seconds_do_not_stay() -> None:
    runs = start_runs((SMOKE,), PRE, "r1")
    (run,) = record(runs, (SMOKE,), [Measurement("r1", PRE, "smoke", 0, "Pass", "", at(1.75))])
    assert run.last_measured_at == at(1)


def test_tallies_follow_the_spec() -> None:
    other = Metric("other", "http", HttpCheck(), dry_run=True)
    aligned = align((measured("p"),), (other, SMOKE), PRE, "r1")
    assert [(run.metric, run.measured, run.dry_run) for run in aligned] == [("other", 0, True), ("smoke", 1, False)]
    assert align((measured("p"),), (), PRE, "r1") == ()
