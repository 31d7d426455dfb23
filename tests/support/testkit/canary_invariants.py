"""What must hold while live traffic goes to two revisions at once: a second reading of the rules of a canary."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from taskservice_operator.core.model import Note, Plan
from testkit.world import World

GRACE = timedelta(seconds=30)
"""How long pods that somebody scaled up by hand may be among the live ones."""


class Broken(AssertionError):
    """A rule of a canary does not hold."""


def need(holds: bool, message: str) -> None:
    if not holds:
        raise Broken(message)


def size_of(world: World, status: Any) -> int:
    """Pods that carry the load."""
    floor = status.get("floor") or {}
    declared = (status.get("size") or {}).get("active", world.taskservice["spec"].get("replicas", 2))
    return max(declared, floor["replicas"] if floor.get("until") else 0)


def limits_of(world: World, size: int) -> tuple[int, int]:
    """Pods over and under the size that are allowed, as Deployments read them."""
    canary = (world.taskservice["spec"].get("rollout") or {}).get("canary") or {}
    surge = _pods(canary.get("maxSurge", "25%"), size, math.ceil)
    unavailable = min(_pods(canary.get("maxUnavailable", "25%"), size, math.floor), size)
    surge = max(surge, 1) if size == 1 else surge
    return surge, unavailable if surge or unavailable else 1


def _pods(amount: int | str, size: int, rounding: Any) -> int:
    return amount if isinstance(amount, int) else rounding(int(amount[:-1]) * size / 100)


def fewest(world: World, size: int) -> int:
    """Pods that one side needs before it may have all requests."""
    return max(size - limits_of(world, size)[1], min(size, 1))


def check_spreading(world: World, plan: Plan) -> None:
    """The live Service is about to select every revision."""
    revisions = plan.status["revisions"]
    if world.spread:
        return
    need(world.status.get("phase") == "Stepping", "spreads live traffic without its intent on record")
    sides = {revisions["stable"], revisions["candidate"]}
    strangers = {pod.revision for pod in world.pods.values()} - sides
    need(not strangers, f"spreads live traffic over {strangers}, too")
    candidate = revisions["candidate"]
    ready = world.ready(candidate) > 0 or world.replicas(candidate) == 0 or size_of(world, plan.status) == 0
    need(ready, f"spreads live traffic over {candidate}, which has no ready pod")


def check_gathering(world: World, target: str | None, plan: Plan) -> None:
    """The live Service is about to select one revision again."""
    others = sum(pod.ready for pod in world.pods.values() if pod.revision != target)
    promoted = target == plan.status["revisions"].get("candidate")
    size = world.taskservice["spec"].get("replicas", 2) if promoted else size_of(world, plan.status)
    size = min(size, size_of(world, plan.status)) if promoted else size
    needed = fewest(world, size)
    holds = others == 0 or world.ready(target) >= needed
    need(holds, f"all traffic goes to {target} with {world.ready(target)} ready pods of {needed}")


def makes_room(world: World, wanted: int, plan: Plan) -> bool:
    """Without a pod to spare the candidate's first ones take the place of stable ones."""
    size = size_of(world, plan.status)
    surge, unavailable = limits_of(world, size)
    return bool(plan.status.get("canary")) and surge == 0 and wanted >= size - unavailable


def check_scaling(world: World, revision: str, wanted: int, plan: Plan) -> None:
    """A revision is about to be scaled while live traffic goes to every one."""
    status, now = plan.status, world.replicas(revision)
    revisions, size = status["revisions"], size_of(world, status)
    surge, unavailable = limits_of(world, size)
    stepping = status["phase"] == "Stepping"
    sides = (revisions["stable"], revisions.get("candidate"))
    if wanted < now:
        before = sum(world.ready(side) for side in sides)
        after = before - world.ready(revision) + min(world.ready(revision), wanted)
        if revision in sides:
            least = min(before, size - unavailable)
            need(after >= least, f"leaves {after} pods to serve, {least} are needed")
            need(stepping or wanted == size, f"scales {revision} to {wanted} though no step is under way")
    elif stepping and wanted > now and revision in sides:
        whole = max(size, world.taskservice["spec"].get("replicas", 2))
        total = sum(world.replicas(side) for side in sides) - now + wanted
        need(total <= whole + surge, f"asks for {total} pods, {whole} and {surge} more are allowed")
    if stepping and revision == revisions["stable"]:
        weight = status["canary"]["desiredWeight"]
        needed = max(size * (100 - weight) // 100, 1 if weight < 100 and size else 0)
        if status["canary"]["stepIndex"] < status["canary"]["stepCount"]:
            need(wanted >= min(now, needed), f"stable is scaled to {wanted}, its weight needs {needed}")


def check_state(world: World, status: Any, tampered_at: datetime | None) -> None:
    """A whole plan was carried out."""
    canary, revisions = status.get("canary"), status.get("revisions") or {}
    if status["phase"] != "Stepping":
        return
    need(canary is not None, "steps without a canary")
    need(0 <= canary["stepIndex"] <= canary["stepCount"], f"step {canary['stepIndex']} of {canary['stepCount']}")
    stable, candidate = revisions["stable"], revisions["candidate"]
    shown = (world.shown(candidate), world.shown(stable))
    everybody = sum(name in world.pods for name in world.endpoints.get(world.owner.name, ()))
    tolerated = tampered_at is not None and world.now < tampered_at + GRACE
    need(tolerated or sum(shown) == everybody, f"weights sum to {100 * sum(shown) / max(everybody, 1):.0f}")
    dead = world.ready(candidate) == 0 and world.replicas(candidate) > 0 and world.ready(stable) > 0
    need(not dead or size_of(world, status) == 0, "goes on with a candidate that has no ready pod")


def check_note(world: World, note: Note, status: Any) -> None:
    """A step was declared done: then it must be so."""
    if note.reason != "StepDone":
        return
    candidate = status["revisions"]["candidate"]
    ready, shown = world.ready(candidate), world.shown(candidate)
    need(shown == ready, f"a step is done with {shown} endpoints of {ready} ready pods")
