"""What an alert is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """CRITICAL wakes somebody, WARNING is a ticket for working hours, NONE is for machines."""

    CRITICAL = "critical"
    WARNING = "warning"
    NONE = "none"


@dataclass(frozen=True)
class Alert:
    """One alert.  ``hold``: for how long its expression must hold; ``keep``: for how long it goes on after that.

    ``dashboard`` is the path of a dashboard below Grafana's address; labels of the alert may stand in it.
    """

    name: str
    expr: str
    severity: Severity
    summary: str
    description: str
    dashboard: str
    hold: str = "5m"
    keep: str = "5m"

    def rule(self) -> dict[str, Any]:
        """The alert as Prometheus reads it.  Addresses of Grafana and of the runbooks are external labels of it."""
        rule: dict[str, Any] = {"alert": self.name, "expr": self.expr}
        if self.hold != "0s":
            rule["for"] = self.hold
        if self.keep != "0s":
            rule["keep_firing_for"] = self.keep
        return rule | {
            "labels": {"severity": str(self.severity)},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{{{{ $externalLabels.runbooks }}}}/{self.name}.md",
                "dashboard_url": f"{{{{ $externalLabels.grafana }}}}{self.dashboard}",
            },
        }


SERVICE = "/d/taskservice-service?var-namespace={{ $labels.namespace }}&var-taskservice={{ $labels.taskservice }}"
ROLLOUT = "/d/taskservice-rollout?var-namespace={{ $labels.namespace }}&var-taskservice={{ $labels.taskservice }}"
DATA = "/d/taskservice-data?var-namespace={{ $labels.namespace }}&var-taskservice={{ $labels.taskservice }}"
OPERATOR = "/d/taskservice-operator"
WHICH = "{{ $labels.namespace }}/{{ $labels.taskservice }}"
