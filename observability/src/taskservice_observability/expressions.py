"""Small builders of PromQL, so that queries are made of catalogue entries and cannot misspell a metric.

Every function returns text.  Windows and matchers are given as PromQL writes them.
"""

from __future__ import annotations

from collections.abc import Iterable

TASKSERVICE = ("namespace", "taskservice")
REVISION = (*TASKSERVICE, "revision")

Labels = Iterable[str]


def select(series: object, *matchers: str) -> str:
    """``series{matcher,…}``."""
    given = ",".join(matcher for matcher in matchers if matcher)
    return f"{series}{{{given}}}" if given else str(series)


def grouped(function: str, by: Labels, inner: str) -> str:
    """``function by (labels) (inner)``; without labels over everything."""
    labels = ", ".join(by)
    return f"{function} by ({labels}) ({inner})" if labels else f"{function}({inner})"


def rate(series: object, *matchers: str, by: Labels = (), window: str = "5m") -> str:
    """Per second, summed."""
    return grouped("sum", by, f"rate({select(series, *matchers)}[{window}])")


def increase(series: object, *matchers: str, by: Labels = (), window: str = "5m") -> str:
    """How many within the window, summed."""
    return grouped("sum", by, f"increase({select(series, *matchers)}[{window}])")


def ratio(part: str, whole: str) -> str:
    """``part / whole``, absent (not NaN) where there is nothing to divide by."""
    return f"{part} / ({whole} > 0)"


def or_zero(part: str, whole: str) -> str:
    """``part``, and 0 where there is a whole but no part: a counter that has never counted has no series."""
    return f"({part} or 0 * {whole})"


def quantile(q: float, histogram: str, *matchers: str, by: Labels = (), window: str = "5m") -> str:
    """An estimate in the histogram's unit.  ``histogram`` is the series of its buckets."""
    return f"histogram_quantile({q:g}, {rate(histogram, *matchers, by=('le', *by), window=window)})"
