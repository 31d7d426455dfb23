"""``get -w``: look again and again; redraw on a terminal, append a line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from taskservice_operator.cli import tree
from taskservice_operator.cli.client import ClusterProblem, Manifest
from taskservice_operator.cli.style import Style

EVERY_SECONDS = 1.0
_TOP, _CLEAR, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"

Seen = list[tuple[Manifest, list[Manifest]]]


def now() -> datetime:
    return datetime.now(UTC)


def redraw(
    look: Callable[[], Seen], out: TextIO, style: Style, title: str, wait: Callable[[float], None] = time.sleep
) -> None:
    """Draw what ``look`` sees, in place, until interrupted.  Short failures are shown and outlived."""
    out.write(_CLEAR)
    text = ""
    while True:
        try:
            text = "\n\n".join(tree.render(*each, now(), style) for each in look()) or "nothing here yet"
            trouble = ""
        except ClusterProblem as problem:
            if not problem.transient:
                raise
            trouble = style.paint(str(problem), "red")
        head = style.paint(f"{title}  {now():%H:%M:%S}Z  (Ctrl-C ends)", "dim")
        lines = [line for part in (head, "", *text.split("\n"), trouble) for line in part.split("\n")]
        out.write(_TOP + "".join(f"{line}{_REST_OF_LINE}\n" for line in lines) + _REST_OF_SCREEN)
        out.flush()
        wait(EVERY_SECONDS)


def append(look: Callable[[], Seen], out: TextIO, wait: Callable[[float], None] = time.sleep) -> None:
    """Write one line per change until interrupted."""
    told: dict[str, str] = {}
    while True:
        try:
            lines = {each[0]["metadata"]["uid"]: tree.line(*each) for each in look()}
        except ClusterProblem as problem:
            if not problem.transient:
                raise
            lines = {**told, "": str(problem)}
        for uid, line in lines.items():
            if told.get(uid) != line:
                out.write(f"{now():%H:%M:%SZ} {line}\n")
        told = lines
        out.flush()
        wait(EVERY_SECONDS)
