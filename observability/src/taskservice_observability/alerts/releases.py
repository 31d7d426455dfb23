"""Releases: those that were given up, those that do not end, and services that are not in order."""

from taskservice_observability import catalog
from taskservice_observability.alerts.model import ROLLOUT, WHICH, Alert, Severity
from taskservice_observability.expressions import TASKSERVICE, grouped, select


def _phase(phase: str) -> str:
    return grouped("max", TASKSERVICE, select(catalog.PHASE, f'phase="{phase}"'))


def _condition(condition: str, status: str) -> str:
    return grouped("max", TASKSERVICE, select(catalog.CONDITION, f'condition="{condition}"', f'status="{status}"'))


ALERTS = (
    Alert(
        "RolloutAborted",
        f"{_phase('Failed')} == 1",
        Severity.WARNING,
        f"a release of {WHICH} was given up",
        f"The newest revision of {WHICH} failed or was aborted; the one before it serves. It is not tried again.",
        ROLLOUT,
        hold="1m",
    ),
    Alert(
        "RolloutStuck",
        f"time() - {grouped('max', TASKSERVICE, str(catalog.ROLLOUT_STARTED))} > 3600"
        # A canary's steps take as long as their pauses; what does not come up during one ends it.
        f" unless {_phase('Verifying')} == 1 unless {_phase('Stepping')} == 1",
        Severity.WARNING,
        f"a release of {WHICH} does not end",
        f"The release of {WHICH} has been under way for {{{{ $value | humanizeDuration }}}}, and waits for nobody.",
        ROLLOUT,
    ),
    Alert(
        "TaskServiceNotReady",
        f"{_condition('Ready', 'False')} == 1 unless {grouped('max', TASKSERVICE, str(catalog.ROLLOUT_STARTED))} > 0",
        Severity.CRITICAL,
        f"{WHICH} is not ready",
        f"{WHICH} has not been ready for ten minutes, and no release is under way that could explain it.",
        ROLLOUT,
        hold="10m",
    ),
)
