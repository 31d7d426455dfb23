"""The static page: every panel is on it, drawn from what was answered, and nothing of a label gets out as markup."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from taskservice_observability.charts import Line, number_text, time_series
from taskservice_observability.dashboards import build_all
from taskservice_observability.preview import LINES, generated, page
from testkit.promql import panels_of

TIMES = [1_700_000_000 + 15 * n for n in range(20)]


def answer(expr: str) -> list[Any]:
    """Two series for every query."""
    return [
        {
            "metric": {"taskservice": name, "reason": "<b>"},
            "values": [[at, str(n * scale)] for n, at in enumerate(TIMES)],
        }
        for name, scale in (("auth", 1), ("tasks", 2))
    ]


def built(ask: Any = answer) -> str:
    return page(generated(), ask, choices={"$namespace": ".*"}, started=TIMES[0], ended=TIMES[-1])


def test_every_panel_of_every_dashboard_is_there() -> None:
    text = built()
    assert text.count('class="panel"') == sum(len(list(panels_of(each))) for each in build_all().values())


def test_its_drawings_are_well_formed() -> None:
    for drawing in re.findall(r"<svg.*?</svg>", built(), re.DOTALL):
        ElementTree.fromstring(drawing)


def test_labels_are_text() -> None:
    assert "<b></b>" not in built().replace("&lt;b&gt;", "")
    assert "&lt;b&gt;" in built()


def test_nothing_comes_from_elsewhere() -> None:
    assert re.findall(r"<script|https?://", built()) == []


def test_what_has_no_data_says_so() -> None:
    assert "nothing happened" in built(lambda _: [])


def test_numbers_that_are_none_are_left_out() -> None:
    assert "nothing happened" in built(lambda _: [{"metric": {}, "values": [[TIMES[0], "NaN"]]}])


def test_panels_of_log_lines_show_the_newest_ones_as_text() -> None:
    asked: list[str] = []

    def read(logql: str) -> list[str]:
        asked.append(logql)
        return [f"<i>line {n}" for n in range(50)]

    text = page(generated(), answer, read=read, choices={"$namespace": "shop"}, started=TIMES[0], ended=TIMES[-1])
    assert ['k8s_namespace_name=~"shop"' in logql for logql in asked] == [True]
    assert text.count("&lt;i&gt;line ") == LINES
    assert "<i>line" not in text


def test_panels_of_log_lines_say_why_they_are_empty() -> None:
    assert "nobody was asked for log lines" in built()
    silent = page(generated(), answer, read=lambda _: [], choices={}, started=TIMES[0], ended=TIMES[-1])
    assert "nothing was said" in silent


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (90, "s", "1.5 min"),
        (0, "s", "0 s"),
        (0.999, "percentunit", "99.9 %"),
        (3 * 2**20, "bytes", "3 MiB"),
        (12.34, "reqps", "12.3 /s"),
        (1234567, "short", "1,234,567"),
        (0.001, "short", "0.001"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert number_text(value, unit) == text


def test_stacked_lines_stand_on_each_other() -> None:
    lines = [Line("a", {1: 1.0, 2: 1.0}), Line("b", {1: 2.0, 2: 2.0})]
    assert ">3<" in time_series(lines, "short", stacked=True, width=400)
