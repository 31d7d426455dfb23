"""Mounts below a folder: found in the kernel's own list, and taken away deepest first."""

from __future__ import annotations

import re
from pathlib import Path

from taskservice_local.commands import run
from taskservice_local.errors import LocalError

MOUNTINFO = Path("/proc/self/mountinfo")


def below(folder: Path, mountinfo: str | None = None) -> list[str]:
    """Return the mount points at or below a folder, the deepest and latest first."""
    text = MOUNTINFO.read_text() if mountinfo is None else mountinfo
    points = [_unescape(line.split()[4]) for line in text.splitlines() if line]
    prefix = str(folder)
    ours = [point for point in points if point == prefix or point.startswith(prefix + "/")]
    ours.reverse()
    return sorted(ours, key=lambda point: -point.count("/"))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below a folder. Raises LocalError when something stays."""
    for point in below(folder):
        try:
            run(["umount", point])
        except LocalError:
            run(["umount", "--lazy", point])
    if left := below(folder):
        raise LocalError(f"Could not unmount {left[0]}; run `umount --lazy {left[0]}`, then `down` again.")


def _unescape(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)
