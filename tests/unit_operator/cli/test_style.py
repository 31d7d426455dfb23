"""Words for durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from taskservice_operator.cli.style import Style, age, duration, table


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (250, "4m10s"), (3600, "1h"), (7380, "2h3m"), (90061, "1d1h")],
)
def test_a_duration_has_at_most_two_units(seconds: int, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_an_age_has_one_unit() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert age(now - timedelta(minutes=125), now) == "2h"
    assert age(now, now) == "0s"


def test_a_table_is_aligned_and_has_no_trailing_blanks() -> None:
    assert table([["A", "B"], ["long", ""]]) == ["A     B", "long"]
    assert table([]) == []


def test_painting_leaves_plain_text_alone() -> None:
    assert Style().paint("x", "red") == "x"
    assert Style(enabled=True).paint("x") == "x"
    assert Style(enabled=True).paint("x", "bold", "red") == "\x1b[1;31mx\x1b[0m"
