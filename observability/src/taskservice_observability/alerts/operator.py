"""The operator: without it services go on, but nothing is released, healed or scaled by revision."""

from taskservice_observability import catalog, rules
from taskservice_observability.alerts.model import OPERATOR, Alert, Severity
from taskservice_observability.expressions import increase, quantile

_JOB = f'job="{catalog.JOB_OPERATOR}"'
_FAILED = increase(catalog.RECONCILES, 'result=~"failed|retried"', window="15m")

ALERTS = (
    Alert(
        "OperatorDown",
        f"absent({catalog.UP}{{{_JOB}}} == 1)",
        Severity.CRITICAL,
        "no operator answers",
        "Prometheus reaches no operator: nothing is released or healed. What is live stays live.",
        OPERATOR,
    ),
    Alert(
        "OperatorNoLeader",
        f"max({catalog.LEADER}) < 1",
        Severity.CRITICAL,
        "no operator leads",
        "Operators run, but none of them holds the lease: nothing is released or healed.",
        OPERATOR,
        hold="2m",
    ),
    Alert(
        "OperatorReconcileErrors",
        f"{rules.RECONCILE_ERRORS} > 0.1 and {_FAILED} >= 5",
        Severity.WARNING,
        "passes of the operator fail",
        "{{ $value | humanizePercentage }} of the operator's passes end in an error and are repeated.",
        OPERATOR,
        hold="10m",
    ),
    Alert(
        "OperatorVaultTrouble",
        f"max({catalog.VAULT_TROUBLED}) > 0",
        Severity.WARNING,
        "secrets of Vault cannot be read",
        "{{ $value | humanize }} secrets of Vault cannot be read: what runs has its own, releases that need them wait.",
        OPERATOR,
        hold="10m",
    ),
    Alert(
        "OperatorQueueSlow",
        f"{quantile(0.99, catalog.QUEUE_SECONDS.bucket, window='10m')} > 10",
        Severity.WARNING,
        "TaskServices wait for the operator",
        "One in a hundred TaskServices waits {{ $value | humanizeDuration }} or longer before it is looked at.",
        OPERATOR,
        hold="10m",
    ),
)
