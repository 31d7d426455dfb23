"""Starting components so that they outlive us, and ending exactly those, whatever happened meanwhile.

A process is recorded as (pid, start time, boot): a pid alone may be somebody else's by now.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from taskservice_local.machine import search_path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Record:
    """One component as it was started; `started` is in clock ticks since boot."""

    component: str
    pid: int
    started: int
    boot: str
    argv: tuple[str, ...]


def boot_id(proc: Path = PROC) -> str:
    """Return the identity of this boot of the machine."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int, proc: Path = PROC) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The program's name stands in parentheses and may itself hold any character.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(record: Record, proc: Path = PROC) -> bool:
    """Tell whether the very process that was recorded still runs."""
    return record.boot == boot_id(proc) and start_time(record.pid, proc) == record.started


def uptime_seconds(record: Record, proc: Path = PROC) -> float:
    """Return for how many seconds the recorded process has been running."""
    now = float((proc / "uptime").read_text().split()[0])
    return now - record.started / TICKS_PER_SECOND


class Records:
    """The records of one cluster, in one file that is replaced as a whole."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def load(self) -> dict[str, Record]:
        """Return the records by component; none when nothing was started."""
        if not self.file.exists():
            return {}
        entries = json.loads(self.file.read_text())
        return {entry["component"]: Record(**{**entry, "argv": tuple(entry["argv"])}) for entry in entries}

    def save(self, record: Record) -> None:
        """Put a record in the place of the one of the same component."""
        self._write({**self.load(), record.component: record})

    def forget(self, component: str) -> None:
        """Drop the record of a component."""
        self._write({name: record for name, record in self.load().items() if name != component})

    def _write(self, records: dict[str, Record]) -> None:
        partial = self.file.with_suffix(".partial")
        partial.write_text(json.dumps([asdict(record) for record in records.values()], indent=2))
        partial.replace(self.file)


def start(component: str, argv: list[str], log: Path, cgroup: Path | None = None) -> Record:
    """Start a program in a session of its own, its output appended to `log`, and return its record.

    `cgroup` is a cgroup.procs file that takes the process before the program begins. Raises OSError when the program
    cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Nothing of the user's environment (a proxy, a kubeconfig) may change what the component does.
    env = {"PATH": search_path(), "HOME": os.environ.get("HOME", "/root")}
    if cgroup is not None:
        # The shell enters the cgroup and then becomes the program: no thread of ours forks with Python code to run.
        argv = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(cgroup), *argv]
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/", env=env
        )
    started = start_time(process.pid)
    # It is not ours to wait for: whoever asks looks it up in /proc. Says so to the garbage collector.
    process.returncode = 0
    return Record(component, process.pid, started or 0, boot_id(), tuple(argv))


def stop(records: list[Record], seconds: float = 10) -> None:
    """End the recorded processes: asked first, killed after `seconds`. Those that are gone are left alone."""
    end = time.monotonic() + seconds
    _signal(records, signal.SIGTERM)
    while any(is_alive(record) for record in records) and time.monotonic() < end:
        reap(records)
        time.sleep(0.05)
    _signal(records, signal.SIGKILL)
    while any(is_alive(record) for record in records) and time.monotonic() < end + 5:
        reap(records)
        time.sleep(0.02)
    reap(records)


def reap(records: list[Record]) -> None:
    """Collect those of the processes that are our own children and have ended."""
    for record in records:
        try:
            os.waitpid(record.pid, os.WNOHANG)
        except ChildProcessError:
            continue


def _signal(records: list[Record], number: signal.Signals) -> None:
    for record in records:
        if is_alive(record):
            try:
                os.kill(record.pid, number)
            except ProcessLookupError:
                continue


def last_lines(log: Path, count: int = 8) -> list[str]:
    """Return the last lines of a log; none when there is none."""
    if not log.exists():
        return []
    with log.open("rb") as handle:
        handle.seek(0, os.SEEK_END)
        handle.seek(max(0, handle.tell() - 16_384))
        return handle.read().decode(errors="replace").splitlines()[-count:]
