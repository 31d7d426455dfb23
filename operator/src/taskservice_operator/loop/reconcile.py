"""One pass over one TaskService, in two stages.

A glance first: what the watches have shown is decided upon.  When nothing would change, that was the pass, at no
request; what cannot do harm on outdated knowledge (``core.freshness``) is done on it.  For everything else a look:
what decides is read anew from the API server, decided upon again, and carried out in the plan's order.  So an idle
TaskService costs nothing, a release little, and nothing that matters is ever done on outdated knowledge.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from taskservice_operator.cluster.errors import Collision, Conflict, Forbidden, Invalid
from taskservice_operator.cluster.port import ClusterPort, Incomplete, Manifest, Ref
from taskservice_operator.core import vaulted
from taskservice_operator.core.freshness import needs_look, only_numbers_change
from taskservice_operator.core.model import Action, Measurement, Note, Plan, Snapshot, WriteStatus
from taskservice_operator.loop.measuring import Measuring
from taskservice_operator.loop.queue import TokenBucket
from taskservice_operator.loop.refusal import Memory
from taskservice_operator.loop.vaulting import Vaulting
from taskservice_operator.metrics import Metrics

Decide = Callable[[Snapshot, datetime], Plan]

ATTEMPTS = 6
"""Looks per pass: each foreign or refused object found on the way costs one more."""
NUMBERS_SECONDS = 1.0
"""How long a status may be behind with mere numbers: pods that become ready one by one are one write, not many."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a pass ended: ``idle``, ``held``, ``changed``, ``refused`` or ``gone``; ``requeue_after`` in seconds.

    ``held``: only numbers differ, and they are written a moment later.
    """

    result: str
    requeue_after: float | None = None


class _Refused(Exception):
    def __init__(self, action: Action, message: str) -> None:
        super().__init__(message)
        self.action = action
        self.message = message


class Reconciler:
    """Makes passes.  Never two at once for one key: the queue sees to that."""

    def __init__(
        self,
        cluster: ClusterPort,
        decide: Decide,
        measuring: Measuring,
        metrics: Metrics,
        *,
        vaulting: Vaulting | None = None,
        bucket: TokenBucket,
        now: Callable[[], datetime],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._cluster = cluster
        self._decide = decide
        self._measuring = measuring
        self._vaulting = vaulting or Vaulting(None, lambda _ref: None)
        self._metrics = metrics
        self._bucket = bucket
        self._now = now
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._memories: dict[Ref, Memory] = {}

    async def reconcile(self, ref: Ref) -> Outcome:
        """Make one pass.  Raises a ClusterError when it should be repeated later, and whatever decide raises."""
        memory = self._memories.setdefault(ref, Memory())
        try:
            snapshot = await self._cluster.observe(ref, live=False, foreign=memory.foreign)
        except Incomplete:
            pass
        else:
            if snapshot is None or _is_going(snapshot):
                return self._gone(ref)
            plan, offered = self._plan(snapshot, memory)
            if not memory.is_due(self._clock()):
                if (outcome := self._rest(ref, memory, snapshot, plan, offered)) is not None:
                    return outcome
                if not needs_look(plan, snapshot.taskservice):
                    await self._bucket.take()
                    if (outcome := await self._act(ref, memory, snapshot, plan, offered)) is not None:
                        return outcome
        await self._bucket.take()
        return await self._look_and_act(ref, memory)

    def _rest(
        self, ref: Ref, memory: Memory, snapshot: Snapshot, plan: Plan, offered: tuple[Measurement, ...]
    ) -> Outcome | None:
        """The pass that asks nothing of the API server, or None when there is something to do now."""
        if self._is_idle(plan, snapshot):
            memory.held_since = None
            self._finish(ref, snapshot, plan, offered)
            return self._outcome("idle", plan, memory)
        if not only_numbers_change(plan, snapshot.taskservice):
            return None
        now = self._clock()
        memory.held_since = now if memory.held_since is None else memory.held_since
        left = memory.held_since + NUMBERS_SECONDS - now
        if left <= 0:
            return None
        self._finish(ref, snapshot, plan, offered)
        return self._outcome("held", plan, memory, left)

    async def _look_and_act(self, ref: Ref, memory: Memory) -> Outcome:
        for _ in range(ATTEMPTS):
            snapshot = await self._cluster.observe(ref, live=True, foreign=memory.foreign)
            if snapshot is None or _is_going(snapshot):
                return self._gone(ref)
            memory.occupied(snapshot.foreign, self._clock())
            plan, offered = self._plan(snapshot, memory)
            if (outcome := await self._act(ref, memory, snapshot, plan, offered, looked=True)) is not None:
                return outcome
        raise Conflict(f"{ATTEMPTS} looks in a row found yet another foreign or refused object")

    async def _act(
        self,
        ref: Ref,
        memory: Memory,
        snapshot: Snapshot,
        plan: Plan,
        offered: tuple[Measurement, ...],
        *,
        looked: bool = False,
    ) -> Outcome | None:
        """Carry out the plan.  None when that showed something that a look must take in."""
        memory.held_since = None
        try:
            await self._carry_out(ref, snapshot.taskservice, plan)
        except Collision as collision:
            memory.occupied(memory.foreign | {collision.key}, self._clock())
        except _Refused as refused:
            log.warning("object_refused", extra={**_fields(ref), "error": refused.message})
            memory.refuse(refused.action, refused.message, self._clock())
        except Conflict:
            if looked:
                raise
        else:
            self._finish(ref, snapshot, plan, offered)
            return self._outcome("refused" if memory.refused or memory.foreign else "changed", plan, memory)
        return None

    def _plan(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, tuple[Measurement, ...]]:
        offered = self._measuring.results(snapshot.taskservice["metadata"]["uid"])
        ref = Ref.of(snapshot.taskservice)
        answers = self._vaulting.answers(ref, vaulted.requests(snapshot.taskservice))
        wall = self._now()
        plan = self._decide(replace(snapshot, measurements=offered, vault=answers), wall)
        return memory.restrain(plan, snapshot.taskservice, self._clock(), wall), offered

    def _is_idle(self, plan: Plan, snapshot: Snapshot) -> bool:
        # Measures do not count: starting one asks nothing of the API server, and each starts only once.
        return replace(plan, measures=()).is_empty(snapshot.taskservice.get("status"))

    async def _carry_out(self, ref: Ref, taskservice: Manifest, plan: Plan) -> None:
        """Act in the plan's order, stopping at the first failure: every prefix is safe."""
        events = plan.events
        for action in plan.actions:
            if isinstance(action, WriteStatus):
                taskservice = await self._record(ref, taskservice, plan, events)
                events = ()
                continue
            try:
                await self._cluster.carry_out(ref, action)
            except (Invalid, Forbidden) as error:
                raise _Refused(action, error.message) from error
        await self._record(ref, taskservice, plan, events)

    async def _record(self, ref: Ref, taskservice: Manifest, plan: Plan, events: tuple[Note, ...]) -> Manifest:
        """Write the status if it differs, and only then tell of it: a change that is not on record may repeat."""
        observed = taskservice.get("status") or {}
        if dict(observed) != dict(plan.status):
            taskservice = await self._cluster.write_status(ref, plan.status, taskservice)
        for note in events:
            self._metrics.transitions.labels(note.reason).inc()
            revisions: dict[str, Any] = dict(plan.status.get("revisions") or {})
            log.log(
                logging.WARNING if note.warning else logging.INFO,
                "taskservice_changed",
                extra={
                    **_fields(ref),
                    "reason": note.reason,
                    "detail": note.message,
                    "revision": revisions.get("candidate") or revisions.get("active"),
                },
            )
            await self._cluster.emit_event(taskservice, note)
        return taskservice

    def _finish(self, ref: Ref, snapshot: Snapshot, plan: Plan, offered: tuple[Measurement, ...]) -> None:
        uid = snapshot.taskservice["metadata"]["uid"]
        self._measuring.settle(uid, offered)
        self._measuring.start(ref, uid, plan.measures)

    def _outcome(self, result: str, plan: Plan, memory: Memory, held: float | None = None) -> Outcome:
        times = (plan.requeue_after, memory.next_look(self._clock()), held)
        moments = [seconds for seconds in times if seconds is not None]
        return Outcome(result, min(moments, default=None))

    def _gone(self, ref: Ref) -> Outcome:
        self._memories.pop(ref, None)
        self._measuring.forget(ref)
        self._vaulting.forget(ref)
        return Outcome("gone")


def _is_going(snapshot: Snapshot) -> bool:
    # A TaskService on its way out is left to the garbage collector: healing its objects would fight with it.
    return bool(snapshot.taskservice["metadata"].get("deletionTimestamp"))


def _fields(ref: Ref) -> dict[str, str]:
    return {"taskservice": ref.name, "namespace": ref.namespace}
