"""Telling how far a run is: resources done of those known so far, what is being worked on, and the seconds it took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from pulumi.automation import EngineEvent, OpType

EVERY_SECONDS = 5.0
SHOWN = 3
_VERBS = {
    OpType.CREATE: "creating",
    OpType.UPDATE: "changing",
    OpType.DELETE: "deleting",
    OpType.REPLACE: "replacing",
    OpType.CREATE_REPLACEMENT: "replacing",
    OpType.DELETE_REPLACED: "deleting",
    OpType.REFRESH: "looking at",
}
_GROUPS = ("pulumi:pulumi:", "taskservice:", "kubernetes:helm.sh/v4:")
"""Types that stand for others; they are under way for as long as those are."""
_QUIET = (OpType.SAME, OpType.READ, OpType.REFRESH)


class Tally:
    """What the engine has told: which resources are under way, how many are done, what went wrong."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.done: set[str] = set()
        self.under_way: dict[str, str] = {}
        self.changes: dict[str, int] = {}
        self.planned: list[str] = []
        self.problems: list[str] = []

    def take(self, event: EngineEvent) -> None:
        """Count one event of the engine."""
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            self.known.add(metadata.urn)
            if metadata.op not in _QUIET and not metadata.type.startswith(_GROUPS):
                doing = f"{_VERBS.get(metadata.op, metadata.op.value)} {_short(metadata.urn)}"
                self.under_way[metadata.urn] = doing
                self.planned.append(doing + (f" ({', '.join(metadata.diffs)})" if metadata.diffs else ""))
        elif event.res_outputs_event:
            self._end(event.res_outputs_event.metadata.urn)
        elif event.summary_event:
            self.changes = {str(op): count for op, count in event.summary_event.resource_changes.items() if count}
        elif event.res_op_failed_event:
            self._end(event.res_op_failed_event.metadata.urn)
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            about = _short(event.diagnostic_event.urn) if event.diagnostic_event.urn else ""
            self.problems.append(f"{about}: {event.diagnostic_event.message.strip()}".removeprefix(": "))

    def line(self) -> str:
        """``12 of 18 resources, creating StatefulSet mongodb``."""
        shown = list(self.under_way.values())
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        return f"{len(self.done)} of {len(self.known)} resources" + (
            f", {', '.join(shown[:SHOWN])}{more}" if shown else ""
        )

    def _end(self, urn: str) -> None:
        self.known.add(urn)
        self.done.add(urn)
        self.under_way.pop(urn, None)


@contextmanager
def telling(title: str, tally: Tally, out: TextIO | None = None, every: float = EVERY_SECONDS) -> Iterator[None]:
    """While the block runs, tell every few seconds how far it is; on a terminal in place, elsewhere line by line."""
    stream = out or sys.stderr
    began, ended = time.monotonic(), threading.Event()
    live = stream.isatty()

    def tell() -> None:
        said = ""
        while not ended.wait(1.0 if live else every):
            line = tally.line()
            if live:
                stream.write(f"\r\033[K  {title}: {time.monotonic() - began:.0f} s, {line}"[:200])
            elif line != said:
                stream.write(f"  {title}: {time.monotonic() - began:.0f} s, {line}\n")
            said = line
            stream.flush()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        if live:
            stream.write("\r\033[K")
            stream.flush()


def summary(changes: Mapping[str, int]) -> str:
    """``3 created, 1 changed, 12 unchanged``."""
    words = {"create": "created", "update": "changed", "delete": "deleted", "same": "unchanged", "replace": "replaced"}
    told = [f"{changes[op]} {word}" for op, word in words.items() if changes.get(op)]
    return ", ".join(told) or "nothing to do"


def say(text: str) -> None:
    """One line for the user; stdout is left to results."""
    print(text, file=sys.stderr, flush=True)


def _short(urn: str) -> str:
    """``StatefulSet mongodb`` of ``urn:pulumi:local::data::…kubernetes:apps/v1:StatefulSet::mongodb``."""
    pieces = urn.split("::")
    return f"{pieces[-2].split('$')[-1].split(':')[-1]} {pieces[-1]}" if len(pieces) >= 4 else urn
