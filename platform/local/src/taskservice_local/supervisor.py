"""Keeping components running: starts those that are dead or changed, and says why one died."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taskservice_local import processes
from taskservice_local.controls import Component
from taskservice_local.errors import LocalError
from taskservice_local.processes import Record, Records


@dataclass(frozen=True)
class State:
    """What became of one recorded component; `uptime` is in seconds."""

    component: str
    alive: bool
    pid: int
    uptime: float
    last_lines: tuple[str, ...]


class Supervisor:
    """The components of one cluster, their records and their logs."""

    def __init__(self, records: Path, logs: Path, prefix: tuple[str, ...] = (), cgroup: Path | None = None) -> None:
        """`prefix` is put before every command line (nsenter); `cgroup` is a cgroup.procs file for all of them."""
        self.records = Records(records)
        self.logs = logs
        self.prefix = prefix
        self.cgroup = cgroup
        self.ensured: set[str] = set()

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def ensure(self, component: Component) -> bool:
        """Have a component run as described; return whether it had to be started.

        One that runs with another command line or other files is restarted.
        """
        self.ensured.add(component.name)
        changed = [path for path, text in component.files.items() if not path.exists() or path.read_text() != text]
        known = self.records.load().get(component.name)
        argv = (*self.prefix, *component.argv)
        if known and processes.is_alive(known):
            if not changed and known.argv[-len(argv) :] == argv:
                return False
            processes.stop([known])
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(component.files[path])
        self.records.save(processes.start(component.name, list(argv), self.log(component.name), self.cgroup))
        return True

    def check(self) -> None:
        """Raise LocalError, with the log's last lines, when a component is dead that `ensure` found or started.

        Others may be dead still: a repair comes to them in their turn.
        """
        for state in self.states():
            if state.component in self.ensured and not state.alive:
                lines = "\n".join("    " + line for line in state.last_lines)
                raise LocalError(f"{state.component} died; its log {self.log(state.component)} ends with:\n{lines}")

    def states(self) -> list[State]:
        """Return the state of every recorded component, in the order in which they were started."""
        return [self._state(record) for record in self.records.load().values()]

    def stop(self, components: list[str] | None = None, seconds: float = 10) -> None:
        """End the named components, or all that are recorded, and forget them."""
        known = self.records.load()
        chosen = [record for name, record in known.items() if components is None or name in components]
        processes.stop(chosen, seconds)
        for record in chosen:
            self.records.forget(record.component)

    def _state(self, record: Record) -> State:
        alive = processes.is_alive(record)
        lines = () if alive else tuple(processes.last_lines(self.log(record.component)))
        uptime = processes.uptime_seconds(record) if alive else 0.0
        return State(record.component, alive, record.pid, uptime, lines)
