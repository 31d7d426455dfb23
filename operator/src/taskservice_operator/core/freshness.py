"""How fresh the knowledge must be on which a plan is carried out, and which changes of the status may wait a moment.

The watches' picture may be old, and for how long nobody can tell.  It suffices for what an old picture cannot make
harmful: objects that only come into being (whoever creates looks first whether the name is taken), where previews go,
and the record of a release that has not reached live traffic yet (which is refused when the TaskService has changed).
Whatever moves live traffic, changes or removes what exists, or passes a verdict needs a look at the API server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskservice_operator.api.status import Phase
from taskservice_operator.core.model import Action, Apply, Create, Delete, Manifest, Plan, WriteStatus
from taskservice_operator.render.identity import Owner

PREPARING = frozenset({Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING})
AT_STAKE = frozenset({Phase.STEPPING, Phase.PROMOTING, Phase.PROVING, Phase.RETURNING})
_NUMBERS = frozenset({"step", "replicas", "readyReplicas"})


def needs_look(plan: Plan, taskservice: Manifest) -> bool:
    """True when the plan must not be carried out on what the watches have shown."""
    owner = Owner.of(taskservice)
    return any(_commits(action, owner) for action in plan.actions) or _decides(
        plan.status, taskservice.get("status") or {}
    )


def only_numbers_change(plan: Plan, taskservice: Manifest) -> bool:
    """True when all that the plan would do is to record other counts and the sentences that tell them."""
    observed = taskservice.get("status") or {}
    quiet = not plan.events and all(isinstance(action, WriteStatus) for action in plan.actions)
    return quiet and _without_numbers(plan.status) == _without_numbers(observed)


def _commits(action: Action, owner: Owner) -> bool:
    match action:
        case Create(manifest):
            return manifest["kind"] == "Service" and manifest["metadata"]["name"] == owner.name
        case Apply(manifest):
            return manifest["kind"] != "Service" or manifest["metadata"]["name"] != owner.preview
        case Delete():
            return True
        case WriteStatus():
            return False


def _decides(status: Manifest, observed: Manifest) -> bool:
    """Another phase, unless it only prepares; another live or stable side; a failure."""
    before, after = observed.get("phase"), status.get("phase")
    if before != after and (before in AT_STAKE or after not in PREPARING):
        return True
    roles, were = status.get("revisions") or {}, observed.get("revisions") or {}
    if any(roles.get(role) != were.get(role) for role in ("active", "stable")):
        return True
    if (status.get("canary") or {}).get("stepIndex", 0) != (observed.get("canary") or {}).get("stepIndex", 0):
        return True
    return "failure" in status and status["failure"] != observed.get("failure")


def _without_numbers(status: Manifest) -> dict[str, Any]:
    bare = {name: value for name, value in status.items() if name not in _NUMBERS}
    if "canary" in bare:
        bare["canary"] = {name: value for name, value in bare["canary"].items() if name != "observedWeight"}
    bare["conditions"] = [_without_message(condition) for condition in status.get("conditions") or ()]
    bare["blockedOn"] = _without_message(status.get("blockedOn") or {})
    return bare


def _without_message(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "message"}
