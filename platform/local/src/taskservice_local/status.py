"""What `status` tells: a table of components, the node, and why a dead component died."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from taskservice_local.supervisor import State


@dataclass(frozen=True)
class Report:
    """The state of one cluster, as text for a person; `healthy` decides the exit code."""

    text: str
    healthy: bool


def duration(seconds: float) -> str:
    """Return seconds as a person says them: 42s, 7m, 3h05m, 2d4h."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600}h"


def build_report(
    states: Iterable[State], expected: Iterable[str], node: str, node_ready: bool, gateway: bool | None = None
) -> Report:
    """Return the report of a built cluster; `expected` components that were never started count as dead.

    `gateway` tells whether it is ready; None where there is none.
    """
    known = {state.component: state for state in states}
    names = [*known, *(name for name in expected if name not in known)]
    width = max(map(len, ["node " + node, *names])) + 2
    lines = [f"{'COMPONENT':<{width}}{'STATE':<7}{'PID':>8}  UPTIME"]
    causes: list[str] = []
    for name in names:
        state = known.get(name)
        if state and state.alive:
            lines.append(f"{name:<{width}}{'up':<7}{state.pid:>8}  {duration(state.uptime)}")
            continue
        lines.append(f"{name:<{width}}{'dead':<7}{'-':>8}  -")
        if state and state.last_lines:
            causes += ["", f"{name} is dead; its log ends with:", *(f"    {line}" for line in state.last_lines)]
        else:
            causes += ["", f"{name} is dead, and its log is empty."]
    lines.append(f"{'node ' + node:<{width}}{'Ready' if node_ready else 'not Ready'}")
    if gateway is not None:
        lines.append(f"{'gateway':<{width}}{'Ready' if gateway else 'not Ready'}")
    healthy = not causes and node_ready and gateway is not False
    if not healthy:
        causes += ["", "`python -m taskservice_local up` repairs it."]
    return Report("\n".join([*lines, *causes]), healthy)
