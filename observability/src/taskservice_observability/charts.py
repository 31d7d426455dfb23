"""Lines and numbers as SVG and text.  Pure: series in, markup out."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b8a900", "#7b61c9", "#8a8f98", "#a0522d")
HEIGHT = 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 6, 6, 18


@dataclass(frozen=True)
class Line:
    """One series: what it is called, and its values by time in seconds, in order."""

    name: str
    values: Mapping[float, float]


def number_text(value: float, unit: str) -> str:
    """A value as people read it, in Grafana's units."""
    if unit == "percentunit":
        return f"{_digits(value * 100)} %"
    if unit == "s":
        for factor, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            if abs(value) >= factor:
                return f"{_digits(value / factor)} {name}"
        return f"{_digits(value * 1000)} ms" if value else "0 s"
    if unit == "bytes":
        for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
            if abs(value) >= 1024**power:
                return f"{_digits(value / 1024**power)} {name}"
        return f"{_digits(value)} B"
    suffix = {"reqps": " /s", "ops": " /s"}.get(unit, "")
    return f"{_digits(value)}{suffix}"


def _digits(value: float) -> str:
    if value and abs(value) < 0.01:
        return f"{value:.1g}"
    return (
        f"{value:,.0f}"
        if abs(value) >= 100 or value == int(value)
        else f"{value:.2g}"
        if abs(value) < 10
        else f"{value:.1f}"
    )


def sparkline(line: Line, width: int = 180, height: int = 34) -> str:
    """A small line without axes."""
    points = _points([line], width, height, 0, 0, 2, 2, *_bounds([line]))
    colour = COLOURS[0]
    path = _path(points[0])
    area = f"{path} L{points[0][-1][0]:.1f},{height} L{points[0][0][0]:.1f},{height} Z"
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="its past"><path d="{area}" fill="{colour}" '
        f'opacity=".14"/><path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/></svg>'
    )


def time_series(lines: Sequence[Line], unit: str, *, stacked: bool, width: int) -> str:
    """Lines with axes and a legend that has their last values."""
    drawn = _stack(lines) if stacked else list(lines)
    low, high = _bounds(drawn)
    ticks = _ticks(low, high, 1024 if unit == "bytes" else 10)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    points = _points(drawn, width, HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM, low, high)
    shapes = [_grid(ticks, unit, width, low, high), _times(drawn, width)]
    below = HEIGHT - _BOTTOM
    floor = [(points[0][0][0], float(below)), (points[0][-1][0], float(below))]
    for index, line in enumerate(points):
        colour, path = COLOURS[index % len(COLOURS)], _path(line)
        if stacked or len(points) == 1:
            # A band down to the line below, so that bands do not shine through each other.
            under = points[index - 1] if stacked and index else floor
            band = path + "".join(f" L{x:.1f},{y:.1f}" for x, y in reversed(under))
            shapes.append(f'<path d="{band} Z" fill="{colour}" opacity="{".35" if stacked else ".12"}"/>')
        shapes.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')
    svg = f'<svg viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="over time">{"".join(shapes)}</svg>'
    return svg + _legend(lines, unit)


def _stack(lines: Sequence[Line]) -> list[Line]:
    """Each line on top of those before it."""
    moments = sorted({moment for line in lines for moment in line.values})
    below = dict.fromkeys(moments, 0.0)
    stacked = []
    for line in lines:
        below = {moment: below[moment] + line.values.get(moment, 0.0) for moment in moments}
        stacked.append(Line(line.name, below))
    return stacked


def _bounds(lines: Sequence[Line]) -> tuple[float, float]:
    values = [value for line in lines for value in line.values.values()]
    low, high = min(0.0, *values) if len(values) > 1 else min(0.0, values[0]), max(values)
    return (low, high) if high > low else (low, low + 1)


def _ticks(low: float, high: float, base: int) -> list[float]:
    """Four or so numbers, round in powers of ``base``, from ``low`` to above ``high``."""
    raw = (high - low) / 4
    unit = float(base) ** math.floor(math.log(raw, base)) if base != 10 else 1.0
    power = unit * 10 ** math.floor(math.log10(raw / unit))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.floor(low / step)
    return [n * step for n in range(first, math.ceil(high / step) + 1)]


def _points(
    lines: Sequence[Line],
    width: int,
    height: int,
    left: int,
    right: int,
    top: int,
    bottom: int,
    low: float,
    high: float,
) -> list[list[tuple[float, float]]]:
    moments = [moment for line in lines for moment in line.values]
    first, last = min(moments), max(moments)
    across = (width - left - right) / ((last - first) or 1)
    down = (height - top - bottom) / (high - low)
    return [
        [(left + (moment - first) * across, top + (high - value) * down) for moment, value in line.values.items()]
        for line in lines
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:
        (x, y) = points[0]
        return f"M{x - 2:.1f},{y:.1f} L{x + 2:.1f},{y:.1f}"
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _grid(ticks: Sequence[float], unit: str, width: int, low: float, high: float) -> str:
    down = (HEIGHT - _TOP - _BOTTOM) / (high - low)
    rows = []
    for tick in ticks:
        y = _TOP + (high - tick) * down
        rows.append(
            f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="axis" x="{_LEFT - 5}" y="{y + 3:.1f}" text-anchor="end">{number_text(tick, unit)}</text>'
        )
    return "".join(rows)


def _times(lines: Sequence[Line], width: int) -> str:
    moments = [moment for line in lines for moment in line.values]
    first, last = min(moments), max(moments)
    places = (
        (first, _LEFT, "start"),
        ((first + last) / 2, (width + _LEFT - _RIGHT) / 2, "middle"),
        (last, width - _RIGHT, "end"),
    )
    return "".join(
        f'<text class="axis" x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}">'
        f"{time.strftime('%H:%M:%S', time.gmtime(moment))}</text>"
        for moment, x, anchor in places
    )


def _legend(lines: Sequence[Line], unit: str) -> str:
    if len(lines) == 1 and not lines[0].name:
        return ""
    entries = "".join(
        f'<li><i style="background:{COLOURS[index % len(COLOURS)]}"></i>{html.escape(line.name)}'
        f" <b>{number_text(next(reversed(list(line.values.values()))), unit)}</b></li>"
        for index, line in enumerate(lines)
    )
    return f"<ul>{entries}</ul>"
