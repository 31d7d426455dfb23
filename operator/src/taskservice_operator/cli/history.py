"""Finished rollouts as a table: a status and the time in, lines out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taskservice_operator.api.status import parse_status
from taskservice_operator.cli.style import age, duration, table

HEADER = ["REVISION", "RESULT", "REASON", "ENDED", "TOOK", "IMAGE"]


def render(taskservice: Mapping[str, Any], now: datetime) -> str:
    """The youngest rollout first; ``*`` marks the revision that is live."""
    status = parse_status(taskservice.get("status"))
    if not status.history:
        return f"no rollout of {taskservice['metadata']['name']} has finished yet"
    rows = [
        [
            f"{entry.revision}{'*' if entry.revision == status.active else ''}",
            entry.result,
            entry.reason,
            f"{age(entry.ended_at, now)} ago",
            duration(entry.ended_at - entry.started_at),
            entry.image,
        ]
        for entry in reversed(status.history)
    ]
    return "\n".join(table([HEADER, *rows]))
