"""Alerts by what is in trouble, one file each; ``ALL`` has every one that is not made for a single TaskService.

Lives here: when somebody is told, how urgently, in which words, with a link to a dashboard and to a runbook.
Must not live here: error budgets (``slo``), or who receives an alert (Alertmanager's configuration).
"""

from taskservice_observability.alerts import data, operator, platform, releases, safekeeping, services
from taskservice_observability.alerts.model import Alert, Severity

GROUPS: dict[str, tuple[Alert, ...]] = {
    "taskservice-platform-alerts": platform.ALERTS,
    "taskservice-operator-alerts": operator.ALERTS,
    "taskservice-release-alerts": releases.ALERTS,
    "taskservice-service-alerts": services.ALERTS,
    "taskservice-data-alerts": data.ALERTS,
    "taskservice-safekeeping-alerts": safekeeping.ALERTS,
}
ALL = tuple(alert for group in GROUPS.values() for alert in group)

__all__ = ["ALL", "GROUPS", "Alert", "Severity"]
