"""Saying what is going on: a line at the start, one now and then, one at the end with the seconds it took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_SECONDS = 2.0
REPEAT_SECONDS = 15.0


def say(text: str) -> None:
    """Print one line for the user; stdout is left to results."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str, detail: Callable[[], str] | None = None) -> Iterator[None]:
    """Tell of a step that may take longer than two seconds.

    `detail` is asked for a few words each time the step is mentioned again. On a terminal the line is rewritten in
    place every second; elsewhere (a pipeline's log) it is repeated every 15 s.
    """
    began = time.monotonic()
    done = threading.Event()
    live = sys.stderr.isatty()

    def tell() -> None:
        wait = QUIET_SECONDS
        while not done.wait(wait):
            wait = 1.0 if live else REPEAT_SECONDS
            more = f", {detail()}" if detail else ""
            line = f"  {title}: {time.monotonic() - began:.0f} s{more}"
            if live:
                sys.stderr.write(f"\r\033[K{line}")
                sys.stderr.flush()
            else:
                say(line)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        done.set()
        teller.join()
        if live:
            sys.stderr.write("\r\033[K")
        say(f"  {title}: {outcome} in {time.monotonic() - began:.1f} s")
