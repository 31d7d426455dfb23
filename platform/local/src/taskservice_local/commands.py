"""Running programs to their end, and waiting for something to come true."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from taskservice_local.errors import CommandError, LocalError

T = TypeVar("T")


def run(
    argv: list[str | Path],
    *,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 600,
) -> str:
    """Run a program and return its stdout.

    `env` is added to our own environment; `timeout` is in seconds.
    Raises CommandError when it ends badly, LocalError when it is not there or does not end.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            timeout=timeout,
        )
    except FileNotFoundError:
        raise LocalError(f"`{words[0]}` is not on this machine: see `python -m taskservice_local doctor`.") from None
    except subprocess.TimeoutExpired:
        raise LocalError(f"`{' '.join(words[:6])}` did not end within {timeout:.0f} s.") from None
    if done.returncode != 0:
        raise CommandError(words, done.returncode, done.stderr or done.stdout)
    return done.stdout


def succeeds(argv: list[str | Path], timeout: float = 30) -> bool:
    """Tell whether a program runs and ends with status 0."""
    try:
        run(argv, timeout=timeout)
    except LocalError:
        return False
    return True


def wait_for(what: str, probe: Callable[[], T | None], seconds: float, every: float = 0.2) -> T:
    """Call `probe` until it returns something true, and return that.

    Raises LocalError when nothing true came within `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise LocalError(f"Waited {seconds:.0f} s for {what}, in vain: see `python -m taskservice_local status`.")
        time.sleep(every)
