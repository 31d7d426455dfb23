"""What people may ask of a rollout, judged against what they see: a request, or a sentence why not.

The operator judges again, with what is true by then; a request names a revision and never strikes another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.status import Phase, Status, format_time, parse_status

Manifest = Mapping[str, Any]

BEFORE_SWITCH = (Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING)
AFTER_SWITCH = (Phase.PROMOTING, Phase.PROVING)


class NotApplicable(Exception):
    """The request makes no sense in the present state; the text says why, and what would."""


@dataclass(frozen=True)
class Request:
    """An annotation to set, and what it asks for in one sentence."""

    annotation: str
    value: str
    sentence: str


def ask(verb: str, taskservice: Manifest, now: datetime) -> Request:
    """The request for ``verb`` on a TaskService as just seen.  Raises :class:`NotApplicable`."""
    name = taskservice["metadata"]["name"]
    if not was_seen(taskservice):
        raise NotApplicable(f"the operator has not looked at {name} yet: is it running?")
    status = parse_status(taskservice["status"])
    revision, sentence = _JUDGES[verb](name, status, taskservice)
    return Request(f"{names.GROUP}/{verb}", f"{revision}@{format_time(now)}", sentence)


def was_seen(taskservice: Manifest) -> bool:
    """The operator has looked at it at least once; until then its status is empty but for a generation of -1."""
    status = taskservice.get("status") or {}
    return bool(status) and status.get("observedGeneration", 0) >= 0


def _promote(name: str, status: Status, taskservice: Manifest) -> tuple[str, str]:
    candidate = status.candidate
    if (by_steps := _promote_by_steps(name, status, taskservice)) is not None:
        return by_steps
    if status.phase in (Phase.PRESCALING, Phase.PROMOTING):
        raise NotApplicable(f"revision {candidate} is approved already and on its way")
    if status.phase is Phase.PROVING:
        raise NotApplicable(f"revision {candidate} is live already")
    if candidate is None or status.phase not in BEFORE_SWITCH:
        raise NotApplicable(_nothing_to("promote", name, status))
    later = ""
    if (taskservice.get("spec") or {}).get("paused"):
        later = "; it takes effect once spec.paused is false"
    elif status.phase is Phase.STAGING:
        later = "; it goes live once it is available and has passed its analysis"
    return candidate, f"asked to promote revision {candidate} of {name}{later}"


def _promote_by_steps(name: str, status: Status, taskservice: Manifest) -> tuple[str, str] | None:
    """The end of a canary's pause, asked for while there is one; None where there is no canary."""
    canary, candidate = status.canary, status.candidate
    if canary is None or candidate is None or status.phase not in (*BEFORE_SWITCH, Phase.STEPPING):
        return None
    in_full = f"`kubectl taskservice promote --full {name}` skips all that is left"
    configured = ((taskservice.get("spec") or {}).get("rollout") or {}).get("canary") or {}
    steps = configured.get("steps") or []
    at = canary.step_index
    if status.phase is not Phase.STEPPING or at >= len(steps) or "pause" not in steps[at]:
        raise NotApplicable(f"revision {candidate} is not at a pause ({taskservice['status'].get('step')}): {in_full}")
    return candidate, f"asked to end the pause of revision {candidate} of {name} at step {at + 1} of {len(steps)}"


def _promote_full(name: str, status: Status, taskservice: Manifest) -> tuple[str, str]:
    if status.canary is None or status.candidate is None or status.phase not in (*BEFORE_SWITCH, Phase.STEPPING):
        return _promote(name, status, taskservice)
    if status.canary.step_index >= status.canary.step_count:
        raise NotApplicable(f"revision {status.candidate} has done its last step and is on its way")
    return status.candidate, f"asked to promote revision {status.candidate} of {name}, without the steps that are left"


def _abort(name: str, status: Status, _: Manifest) -> tuple[str, str]:
    if status.phase is Phase.RETURNING:
        raise NotApplicable(f"requests are going back to revision {status.stable} already")
    if status.phase in (*AFTER_SWITCH, Phase.STEPPING):
        live = status.candidate or status.active
        if live is None or status.stable is None or status.stable == live:
            raise NotApplicable("this is the first revision: there is none to go back to")
        return live, f"asked to abort revision {live} of {name}: requests go back to {status.stable}"
    if status.candidate is None or status.phase not in BEFORE_SWITCH:
        raise NotApplicable(_nothing_to("abort", name, status))
    stays = f": {status.active} stays live" if status.active else ""
    return status.candidate, f"asked to abort revision {status.candidate} of {name}{stays}"


def _retry(name: str, status: Status, _: Manifest) -> tuple[str, str]:
    failure = status.failure
    if failure is None or status.phase is not Phase.FAILED:
        raise NotApplicable(f"no revision of {name} has failed: there is nothing to retry ({_state(status)})")
    if status.wanted not in (None, failure.revision):
        raise NotApplicable(
            f"the spec no longer asks for the failed revision {failure.revision}: apply it again, then retry"
        )
    return failure.revision, f"asked to try revision {failure.revision} of {name} again"


def _rollback(name: str, status: Status, _: Manifest) -> tuple[str, str]:
    if status.phase not in (Phase.STABLE, Phase.FAILED):
        raise NotApplicable(
            f"a rollout is under way ({_state(status)}): give it up with `kubectl taskservice abort {name}`"
        )
    if status.active is None:
        raise NotApplicable(f"nothing of {name} is live yet: there is nothing to roll back")
    if status.previous is None:
        raise NotApplicable(f"revision {status.active} is the only one known to be good: apply an older spec instead")
    return status.active, f"asked to roll {name} back from revision {status.active} to {status.previous}"


def _nothing_to(verb: str, name: str, status: Status) -> str:
    if status.phase is Phase.FAILED and status.failure:
        return (
            f"there is nothing to {verb}: revision {status.failure.revision} has failed. "
            f"Change the spec, or try it again with `kubectl taskservice retry {name}`"
        )
    return f"there is nothing to {verb}: no rollout of {name} is under way ({_state(status)})"


def _state(status: Status) -> str:
    live = f"revision {status.active} is live" if status.active else "nothing is live"
    return f"phase {status.phase.value}, {live}"


_JUDGES: Mapping[str, Callable[[str, Status, Manifest], tuple[str, str]]] = {
    "promote": _promote,
    "promote-full": _promote_full,
    "abort": _abort,
    "retry": _retry,
    "rollback": _rollback,
}
VERBS = tuple(_JUDGES)
