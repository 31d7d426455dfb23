"""Reading PromQL as far as tests need it: which series an expression names, and what Grafana would make of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SERIES = re.compile(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(?=\s*(?:\{|\[|\s|\)|$|>|<|=|\*|/|\+|-|,))")
_LABEL_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "group_left", "group_right", "by", "on"})

RANGES = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "10m"}
CHOICES = {"$namespace": ".+", "$taskservice": ".+"}


def series_in(expr: str) -> set[str]:
    """Names of the series that an expression reads.  Texts and label lists are left out first."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\{[^}]*\}", "{}", bare)
    bare = re.sub(r"\[[^\]]*\]", "[]", bare)
    bare = _LABEL_LISTS.sub(" ", bare)
    found = set(_SERIES.findall(bare))
    functions = set(re.findall(r"([a-zA-Z_]\w*)\s*\(", bare))
    return {name for name in found if name not in _WORDS | functions and not name.isdigit()}


def filled_in(expr: str) -> str:
    """An expression of a dashboard as Grafana would send it with everything chosen."""
    for variable, value in (RANGES | CHOICES).items():
        expr = expr.replace(variable, value)
    return expr


def panels_of(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, also those inside rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or ()
        else:
            yield panel


def queries_of(dashboard: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Title of the panel and target, for every query of a page."""
    for panel in panels_of(dashboard):
        for target in panel.get("targets") or ():
            yield panel["title"], target


def asks_loki(target: dict[str, Any]) -> bool:
    """Whether a query is LogQL."""
    return target["datasource"]["type"] == "loki"
