"""Services, whether or not they have an objective (``slo``): processes that do not answer, errors, cut calls."""

from taskservice_observability import catalog, rules
from taskservice_observability.alerts.model import SERVICE, WHICH, Alert, Severity
from taskservice_observability.expressions import TASKSERVICE, grouped, select

_UP = select(catalog.UP, f'job="{catalog.JOB_SERVICES}"')
_WAITING, _MAY_WAIT = (
    grouped("max", TASKSERVICE, select(metric, 'state="waiting"'))
    for metric in (catalog.PASSWORD_HASHES, catalog.PASSWORD_HASHES_MAX)
)

ALERTS = (
    Alert(
        "TaskServicePodsUnreachable",
        f"avg by (namespace, taskservice) ({_UP}) < 0.5",
        Severity.WARNING,
        f"most pods of {WHICH} do not answer Prometheus",
        f"Only {{{{ $value | humanizePercentage }}}} of the pods of {WHICH} answer on their management port.",
        SERVICE,
        hold="10m",
    ),
    Alert(
        "TaskServiceErrorRatioHigh",
        f"{rules.ERRORS} > 0.05 and {rules.REQUESTS} > 0.1",
        Severity.WARNING,
        f"{WHICH} fails requests",
        f"{{{{ $value | humanizePercentage }}}} of the requests to {WHICH} end in a server error.",
        SERVICE,
        hold="10m",
    ),
    Alert(
        "CircuitBreakerOpen",
        f"{grouped('max', (*TASKSERVICE, 'target'), str(catalog.BREAKER_STATE))} == 2",
        Severity.WARNING,
        f"{WHICH} has stopped asking {{{{ $labels.target }}}}",
        f"Calls of {WHICH} to {{{{ $labels.target }}}} failed so often that they are refused at once.",
        SERVICE,
    ),
    Alert(
        "PasswordQueueFull",
        f"{_WAITING} >= {_MAY_WAIT}",
        Severity.WARNING,
        f"logins at {WHICH} are refused",
        f"As many passwords wait to be checked at {WHICH} as may wait: further logins are answered 503.",
        SERVICE,
    ),
)
