"""Words and colours for people: durations, and ANSI sequences that vanish when nobody looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


@dataclass(frozen=True)
class Style:
    """Paints text, or leaves it alone when the output is not a terminal."""

    enabled: bool = False

    def paint(self, text: str, *looks: str) -> str:
        codes = ";".join(_CODES[look] for look in looks if look in _CODES)
        return f"\x1b[{codes}m{text}\x1b[0m" if self.enabled and codes and text else text


PLAIN = Style()


def duration(span: timedelta) -> str:
    """The two largest units: ``4m10s``, ``2h3m``, ``5d1h``; never negative."""
    seconds = max(0, int(span.total_seconds()))
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return "".join(f"{count}{unit}" for count, unit in parts[:2] if count or unit == parts[0][1])


def age(since: datetime, now: datetime) -> str:
    """The largest unit only, as kubectl's AGE column."""
    text = duration(now - since)
    return next(text[: index + 1] for index, letter in enumerate(text) if letter.isalpha())


def table(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
