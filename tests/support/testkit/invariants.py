"""What must hold after every single thing the operator does, judged from the world alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.status import parse_time
from taskservice_operator.core import rollout
from taskservice_operator.core.model import Action, Apply, Create, Delete, Note, ObjectKey, Plan, WriteStatus
from testkit import canary_invariants as canary
from testkit.simulation import Observer
from testkit.world import World


class Violation(AssertionError):
    """An invariant was broken."""


def require(holds: bool, message: str) -> None:
    if not holds:
        raise Violation(message)


class Invariants(Observer):
    """Raises :class:`Violation` at the action that breaks a rule.

    ``changed_spec`` must be called when people change what revision is asked for or ask for a retry: from then on
    a failed revision may be tried again.
    """

    def __init__(self) -> None:
        self.tried_in_vain: set[str] = set()
        self.counted: dict[str, int] = {}
        self.asked: dict[str, list[str]] = {}
        self.tampered: set[ObjectKey] = set()
        self.scaled_by_hand_at: datetime | None = None

    def changed_spec(self) -> None:
        self.tried_in_vain.clear()

    def asks(self, verb: str, value: str) -> None:
        self.asked.setdefault(verb, []).append(value)
        if verb == "retry":
            self.tried_in_vain.discard(value.partition("@")[0])

    # -- before an action: may it be done to this world? ---------------------------------------------------------
    def before(self, world: World, action: Action, plan: Plan) -> None:
        match action:
            case Apply(manifest) | Create(manifest):
                key = ObjectKey.of(manifest)
                if key == ObjectKey("v1", "Service", world.owner.name):
                    self._check_switch(world, manifest["spec"]["selector"].get(names.LABEL_REVISION), plan)
                if key.kind == "Deployment":
                    self._check_deployment(world, key, manifest, plan)
            case Delete(key):
                self._check_delete(world, key)
            case WriteStatus():
                pass

    def _check_switch(self, world: World, target: str | None, plan: Plan) -> None:
        selected = world.live_revision
        if target is None:
            canary.check_spreading(world, plan)
            return
        if world.spread:
            canary.check_gathering(world, target, plan)
        if selected is None or selected == target:
            return
        empty = world.taskservice["spec"].get("replicas", 2) == 0 or (plan.status.get("size") or {}).get("active") == 0
        served = world.ready(selected) == 0 or world.ready(target) > 0 or empty
        require(served, f"traffic goes from {selected} with ready pods to {target} with none")
        revisions = world.status.get("revisions") or {}
        if target in (revisions.get("stable"), revisions.get("active")) or not revisions.get("active"):
            return
        require(world.status.get("phase") == "Promoting", f"switches to {target} without its intent on record")
        carried = self._carried(world, selected, target)
        if selected == revisions.get("active"):
            available = world.ready(target)
            require(available >= carried, f"switches to {target} with {available} pods, but {carried} are needed")

    def _carried(self, world: World, selected: str, target: str | None) -> int:
        """What the new side must have, by a second reading of the rules."""
        elastic, was_elastic = _autoscaling(world, target), _autoscaling(world, selected)
        carries, declared = world.replicas(selected), world.taskservice["spec"].get("replicas", 2)
        size = (world.status.get("size") or {}).get("active")
        if not was_elastic and size is not None:
            carries = min(carries, size)  # more than was asked for is only a scale-down that is still to come
        if elastic:
            return min(max(elastic.get("minReplicas", 1), carries), elastic["maxReplicas"])
        return max(declared, carries) if was_elastic else min(declared, carries)

    def _check_deployment(self, world: World, key: ObjectKey, manifest: Any, plan: Plan) -> None:
        existing = world.objects.get(key)
        if existing is None or not world.owner.owns(existing):
            return
        if key not in self.tampered:
            same = manifest["spec"]["template"] == existing["spec"]["template"]
            require(same, f"changes the pods of {key}")
        self.tampered.discard(key)
        revision = existing["metadata"]["labels"][names.LABEL_REVISION]
        wanted, now = manifest["spec"].get("replicas"), existing["spec"]["replicas"]
        status = plan.status
        if world.spread and wanted is not None:
            canary.check_scaling(world, revision, wanted, plan)
        if wanted is None or wanted >= now or revision != world.live_revision:
            return
        revisions = status.get("revisions") or {}
        if not revisions.get("active"):
            return  # nothing has ever been live
        declared = (status.get("size") or {}).get("active")
        floor = status.get("floor") or {}
        declared = max(declared or 0, floor["replicas"] if floor.get("until") else 0)
        by_request = revision == revisions["active"] and wanted == declared
        asked = (declared, world.taskservice["spec"].get("replicas", 2))
        by_request = by_request or (revision == revisions.get("candidate") and wanted in asked)
        by_request = by_request or canary.makes_room(world, wanted, plan)
        require(by_request, f"scales live {revision} from {now} to {wanted} (asked for: {declared}, {status['phase']})")

    def _check_delete(self, world: World, key: ObjectKey) -> None:
        existing = world.objects.get(key)
        if existing is None:
            return
        require(world.owner.owns(existing), f"deletes somebody else's {key}")
        require(key.kind != "Service", "deletes a Service")
        revision = existing["metadata"]["labels"].get(names.LABEL_REVISION)
        if key.kind != "HorizontalPodAutoscaler":
            require(revision != world.live_revision, f"deletes {key} of the live side")

    # -- after an action -----------------------------------------------------------------------------------------
    def after(self, world: World, action: Action, plan: Plan) -> None:
        if isinstance(action, Apply | Create):
            key = ObjectKey.of(action.manifest)
            require(world.owner.owns(world.objects[key]), f"{key} is not ours")

    # -- after a whole plan --------------------------------------------------------------------------------------
    def finished(self, world: World, plan: Plan, notes: tuple[Note, ...]) -> None:
        status, revisions = plan.status, plan.status.get("revisions") or {}
        if status["phase"] == "Returning" and world.snapshot().objects.get(
            ObjectKey("v1", "Service", world.owner.name)
        ):
            back = world.live_revision == revisions["stable"]
            nobody = world.ready(revisions["stable"]) == 0 and world.ready(revisions["candidate"]) > 0
            size = canary.size_of(world, status)
            small = bool(status.get("canary")) and world.ready(revisions["stable"]) < canary.fewest(world, size)
            require(back or nobody or small or gone(world, revisions["stable"]), "was told to return and did not")
            empty = (status.get("size") or {}).get("active") == 0
            key = ObjectKey("apps/v1", "ControllerRevision", world.owner.child(revisions["stable"]))
            up = world.replicas(revisions["stable"]) > 0 or empty or key not in world.objects
            require(up, "stable was scaled to zero before the return")
        self._check_dead_side(world, status)
        canary.check_state(world, status, self.scaled_by_hand_at)
        for note in notes:
            canary.check_note(world, note, status)
            self._check_note(note, status)
        failure = status.get("failure")
        if status["phase"] == "Failed" and failure:
            self.tried_in_vain.add(failure["revision"])
        ready = next((c["status"] for c in status["conditions"] if c["type"] == "Ready"), None)
        if ready == "True":
            require(
                revisions["wanted"] == revisions["active"] == world.live_revision, "Ready, but not what is asked for"
            )
        times = [parse_time(c["lastTransitionTime"]) for c in status["conditions"]]
        require(all(moment <= world.now for moment in times), "a transition in the future")

    def _check_dead_side(self, world: World, status: Any) -> None:
        """A promoted side without one ready pod is not waited for while the other could serve."""
        revisions = status.get("revisions") or {}
        candidate, stable = revisions.get("candidate"), revisions.get("stable")
        moving = status["phase"] in ("Promoting", "Proving") and world.live_revision == candidate
        if moving and stable and world.replicas(candidate) > 0:
            lost = world.ready(candidate) == 0 and world.ready(stable) > 0
            require(not lost, "stays on a dead side although stable could serve")

    def _check_note(self, note: Note, status: Any) -> None:
        require(bool(note.message) and "None" not in note.message, f"{note.reason}: {note.message!r}")
        candidate = (status.get("revisions") or {}).get("candidate")
        if note.reason in ("NewRevision", "Superseded") and candidate:
            require(candidate not in self.tried_in_vain, f"{candidate} is tried again although nothing was asked for")
        if note.reason in ("AbortRequested", "RetryRequested", "RollbackRequested"):
            verb = note.reason.removesuffix("Requested").lower()
            self.counted[verb] = self.counted.get(verb, 0) + 1
            given = len(self.asked.get(verb, ()))
            require(self.counted[verb] <= given, f"{verb} struck {self.counted[verb]} times, asked for {given} times")


def gone(world: World, revision: str) -> bool:
    """Neither record nor Deployment of a revision is left: nobody can bring it back."""
    keys = (ObjectKey("apps/v1", kind, world.owner.child(revision)) for kind in ("ControllerRevision", "Deployment"))
    return not any(key in world.objects for key in keys)


def _autoscaling(world: World, revision: str | None) -> Any:
    record = world.objects.get(ObjectKey("apps/v1", "ControllerRevision", world.owner.child(revision or "")))
    return record["data"].get("autoscaling") if record else None


def watched_table(taken: dict[tuple[str, str], int]) -> tuple[rollout.Row, ...]:
    """The rollout table with a count of the rows that are taken, each held to the phase it promises."""

    def watched(index: int, row: rollout.Row) -> rollout.Row:
        def enter(view: Any, reason: str) -> Any:
            status, note = row.enter(view, reason)
            require(status.phase is row.next, f"row {row.reason} promises {row.next} and makes {status.phase}")
            key = (f"{index:02}", row.reason)
            taken[key] = taken.get(key, 0) + 1
            return status, note

        return replace(row, enter=enter)

    return tuple(watched(index, row) for index, row in enumerate(rollout.TABLE))
