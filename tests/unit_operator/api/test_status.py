"""The wire form of a status: what is written can be read, and reads the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_operator.api import status as wire
from taskservice_operator.api.status import Phase, Status, format_time, parse_status, parse_time, render_status

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(lambda m: m.replace(microsecond=0, tzinfo=UTC))
MAYBE = st.none() | MOMENTS
COUNTS = st.integers(0, 10_000)
NAMES = st.text("abcdef0123456789", min_size=1, max_size=10)
TEXTS = st.text(max_size=20)

STATUSES = st.builds(
    Status,
    phase=st.sampled_from(Phase),
    stable=st.none() | NAMES,
    active=st.none() | NAMES,
    candidate=st.none() | NAMES,
    previous=st.none() | NAMES,
    wanted=st.none() | NAMES,
    failure=st.none() | st.builds(wire.Failure, NAMES, TEXTS, TEXTS, MOMENTS),
    rollout=st.none()
    | st.builds(wire.Rollout, MOMENTS, MAYBE, COUNTS, MAYBE, MAYBE, MAYBE, st.booleans(), st.booleans()),
    retiring=st.lists(st.builds(wire.Retiring, NAMES, MOMENTS, COUNTS), max_size=3).map(tuple),
    size=st.none() | st.builds(wire.Size, COUNTS, COUNTS),
    floor=st.none() | st.builds(wire.Floor, NAMES, COUNTS, MAYBE),
    analysis=st.lists(
        st.builds(
            wire.AnalysisRun,
            st.sampled_from(["PrePromotion", "PostPromotion"]),
            NAMES,
            NAMES,
            st.sampled_from(["Running", "Pass", "Fail"]),
            COUNTS,
            COUNTS,
            COUNTS,
            COUNTS,
            MAYBE,
            TEXTS,
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    history=st.lists(st.builds(wire.HistoryEntry, NAMES, TEXTS, TEXTS, MOMENTS, MOMENTS, TEXTS), max_size=3).map(tuple),
    handled_verbs=st.dictionaries(st.sampled_from(["promote", "abort"]), NAMES),
    conditions=st.lists(st.fixed_dictionaries({"type": NAMES, "status": TEXTS}), max_size=2).map(tuple),
)


@given(STATUSES)
def test_what_is_written_reads_the_same(status: Status) -> None:
    assert parse_status(render_status(status)) == status


@given(STATUSES)
def test_writing_it_again_writes_the_same(status: Status) -> None:
    raw = render_status(status)
    assert render_status(parse_status(raw)) == raw


@pytest.mark.parametrize("raw", [None, {}])
def test_nothing_is_a_taskservice_nobody_has_looked_at(raw: dict[str, object] | None) -> None:
    assert parse_status(raw) == Status()


@given(MOMENTS)
def test_times(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


def test_times_are_utc_in_whole_seconds() -> None:
    east = datetime(2026, 1, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(east) == "2026-01-01T12:00:00Z"
    assert parse_time("2026-01-01T12:00:00.250000Z").microsecond == 250_000
