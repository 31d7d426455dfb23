"""The cluster's cgroups: all its pods and all its components below one folder, so that none can be missed.

Works on both layouts: version 2 (one tree) and version 1 (one tree per controller).
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
COMPONENTS = "components"


def trees() -> list[Path]:
    """Return the roots of all writable cgroup trees."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return sorted(folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.is_symlink())


def create(label: str) -> None:
    """Make the cluster's cgroup in every tree, as kubelet asks for (`cgroupRoot`)."""
    for tree in trees():
        folder = tree / label
        folder.mkdir(exist_ok=True)
        if (tree / "cgroup.controllers").exists():
            _delegate(tree)
            _delegate(folder)
        elif (tree / "cpuset.cpus").exists():
            # A cpuset that is empty takes no process.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((tree / file).read_text())
        (folder / COMPONENTS).mkdir(exist_ok=True)


def _delegate(folder: Path) -> None:
    for controller in (folder / "cgroup.controllers").read_text().split():
        try:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            continue  # not every controller can be handed down; kubelet says which one it lacks


def components_file(label: str) -> Path:
    """Return the file that takes the process ids of the cluster's components.

    One tree is enough to find them again; `pids` meters nothing else.
    """
    tree = ROOT if (ROOT / "cgroup.controllers").exists() else ROOT / "pids"
    return tree / label / COMPONENTS / "cgroup.procs"


def members(label: str) -> set[int]:
    """Return the ids of all processes in the cluster's cgroups."""
    found: set[int] = set()
    for tree in trees():
        for file in (tree / label).rglob("cgroup.procs"):
            try:
                found.update(int(line) for line in file.read_text().split())
            except OSError:
                continue  # removed while we looked
    return found - {0, os.getpid()}


def kill_members(label: str, seconds: float = 10) -> set[int]:
    """Kill all processes in the cluster's cgroups until none is left; return those that would not go."""
    end = time.monotonic() + seconds
    while left := members(label):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > end:
            return left
        time.sleep(0.05)
    return set()


def remove(label: str, seconds: float = 5) -> None:
    """Remove the cluster's cgroups; they hold no process any more."""
    end = time.monotonic() + seconds
    while remaining := [tree / label for tree in trees() if (tree / label).is_dir()]:
        for top in remaining:
            for folder in sorted(top.rglob("*"), key=lambda path: len(path.parts), reverse=True):
                if folder.is_dir():
                    _rmdir(folder)
            _rmdir(top)
        if time.monotonic() > end:
            return
        time.sleep(0.05)


def _rmdir(folder: Path) -> None:
    # A dying process is still counted for a moment: tried again.
    with suppress(OSError):
        folder.rmdir()
