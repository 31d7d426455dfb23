"""Whether anybody would be told at all."""

from taskservice_observability.alerts.model import OPERATOR, Alert, Severity

ALERTS = (
    Alert(
        "Watchdog",
        "vector(1)",
        Severity.NONE,
        "alerts reach their receiver",
        "This alert always fires. Whoever stops receiving it must be told by something that is not this Prometheus.",
        OPERATOR,
        hold="0s",
        keep="0s",
    ),
)
