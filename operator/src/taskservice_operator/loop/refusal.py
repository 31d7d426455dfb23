"""What is remembered about a TaskService between passes, only so as not to repeat what was refused.

Losing it costs one more refused request, or one write of mere numbers a moment early.  Nothing here decides: a refused
object stops its plan at that point and is shown in the conditions until the manifest changes or some time has passed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from taskservice_operator.api.status import format_time
from taskservice_operator.core.model import Action, Apply, Create, Delete, ObjectKey, Plan

RECHECK_SECONDS = 30.0
"""How soon a foreign object is looked at again: nothing tells us when it goes."""
REFUSED_SECONDS = 60.0
"""How soon a refused manifest is tried again unchanged: the quota or permission may have changed."""
REASON = "ObjectRefused"
_VERDICTS = (("Ready", "False"), ("Reconciling", "False"), ("Stalled", "True"))


@dataclass(frozen=True)
class Refusal:
    """The API server's no to one action; ``until`` in monotonic seconds."""

    fingerprint: str
    message: str
    until: float


@dataclass
class Memory:
    """Of one TaskService: addresses found occupied, manifests found unacceptable, since when numbers are held back."""

    foreign: frozenset[ObjectKey] = frozenset()
    recheck_at: float = 0.0
    refused: dict[ObjectKey, Refusal] = field(default_factory=dict)
    held_since: float | None = None

    def occupied(self, keys: frozenset[ObjectKey], now: float) -> None:
        """Take in which addresses are foreign as of now."""
        self.foreign = keys
        self.recheck_at = now + RECHECK_SECONDS if keys else 0.0

    def refuse(self, action: Action, message: str, now: float) -> None:
        """Take in that an action was refused."""
        self.refused[key_of(action)] = Refusal(_fingerprint(action), message, now + REFUSED_SECONDS)

    def is_due(self, now: float) -> bool:
        """True when something remembered must be looked at again."""
        return bool(self.foreign) and now >= self.recheck_at

    def next_look(self, now: float) -> float | None:
        """Seconds until something remembered must be looked at again."""
        moments = [refusal.until for refusal in self.refused.values()]
        if self.foreign:
            moments.append(self.recheck_at)
        return max(0.0, min(moments) - now) if moments else None

    def restrain(self, plan: Plan, observed: Mapping[str, Any], now: float, wall: datetime) -> Plan:
        """The plan up to its first action known to be refused, with conditions that say so."""
        self.refused = {key: refusal for key, refusal in self.refused.items() if refusal.until > now}
        for index, action in enumerate(plan.actions):
            refusal = self.refused.get(key_of(action)) if isinstance(action, Create | Apply | Delete) else None
            if refusal is not None and refusal.fingerprint == _fingerprint(action):
                message = f"{key_of(action)}: {refusal.message}"
                status = with_refusal(plan.status, observed, message, wall)
                return replace(plan, actions=plan.actions[:index], status=status, measures=())
        return plan


def key_of(action: Action) -> ObjectKey:
    """The address an action is about."""
    match action:
        case Create(manifest) | Apply(manifest):
            return ObjectKey.of(manifest)
        case Delete(key):
            return key
    raise TypeError(f"{action!r} is not about one object")


def with_refusal(
    status: Mapping[str, Any], observed: Mapping[str, Any], message: str, wall: datetime
) -> dict[str, Any]:
    """``status`` with the conditions of a refused object; transition times change only on flips."""
    before = {condition["type"]: condition for condition in (observed.get("status") or {}).get("conditions") or ()}
    conditions = {condition["type"]: dict(condition) for condition in status.get("conditions") or ()}
    for kind, verdict in _VERDICTS:
        old = before.get(kind, {})
        since = old.get("lastTransitionTime") if old.get("status") == verdict else None
        conditions[kind] = {
            "type": kind,
            "status": verdict,
            "reason": REASON,
            "message": f"the API server refuses {message}",
            "observedGeneration": (observed.get("metadata") or {}).get("generation", 0),
            "lastTransitionTime": since or format_time(wall),
        }
    return {**status, "conditions": list(conditions.values())}


def _fingerprint(action: Action) -> str:
    content = action.manifest if isinstance(action, Create | Apply) else {"uid": getattr(action, "uid", "")}
    return json.dumps(content, sort_keys=True, default=str)
