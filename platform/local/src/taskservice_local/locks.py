"""One at a time: file locks that end with their process, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskservice_local.progress import say


@contextmanager
def only_one(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for whoever holds it now; `doing` says what for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  waiting: another process is {doing}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
