"""The operator's loop around ``decide``, played in a world of memory: crashes between actions, measurements, sleep."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from taskservice_operator.core.model import Action, Measure, Measurement, Note, ObjectKey, Plan, WriteStatus
from taskservice_operator.core.reconcile import decide
from testkit.world import Collision, World

Judge = Callable[[Measure], str]
"""Pass, Fail or Error for one measurement."""


class Observer:
    """Told of every single thing the operator does; invariants and logs are observers."""

    def planned(self, world: World, plan: Plan) -> None:
        """A plan was made, nothing of it done."""

    def before(self, world: World, action: Action, plan: Plan) -> None:
        """An action is about to be done."""

    def after(self, world: World, action: Action, plan: Plan) -> None:
        """An action was done."""

    def finished(self, world: World, plan: Plan, notes: tuple[Note, ...]) -> None:
        """A whole plan was done and its status written."""


@dataclass
class Simulation:
    """A world with an operator in it.  ``shuffle``: the order in which things happen within a step is random."""

    world: World
    observers: list[Observer] = field(default_factory=list)
    shuffle: random.Random | None = None
    judge: Judge = lambda measure: "Pass"
    measuring_takes: float = 1
    step: float = 1
    passes: int = 0
    _seen: int = 0
    _wake: datetime | None = None
    _foreign: frozenset[ObjectKey] = frozenset()
    _running: dict[tuple[str, str, str, int], tuple[datetime, Measure]] = field(default_factory=dict)
    _results: dict[tuple[str, str, str, int], Measurement] = field(default_factory=dict)
    _crash_after: int | None = None
    _recheck: datetime | None = None

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.world.now + timedelta(seconds=seconds)
        while self.world.now < end:
            self.tick()

    def tick(self) -> None:
        """One step of everything, the operator included."""
        self.world.elapse(self.step)
        hands = [*self.world.controllers(), lambda _seconds: self.operate()]
        if self.shuffle:
            self.shuffle.shuffle(hands)
        for hand in hands:
            hand(self.step)

    def crash_soon(self, after_actions: int) -> None:
        """The next plan is cut off after so many actions; what was in the operator's memory is gone."""
        self._crash_after = after_actions

    def operate(self) -> None:
        """Reconcile if there is a reason to: a change, or a time that was asked for."""
        self._finish_measurements()
        due = self._wake is not None and self.world.now >= self._wake
        recheck = self._recheck is not None and self.world.now >= self._recheck
        if self.world.version != self._seen or due or recheck:
            self.reconcile()

    def reconcile(self) -> Plan:
        """One pass, as the loop makes it: looks again when somebody else's object is met."""
        self.passes += 1
        self._seen = self.world.version  # our own writes come back as events: one more look follows
        for _ in range(6):
            snapshot = self.world.snapshot(self._foreign)
            self._remember(snapshot.foreign)
            offered = dict(self._results)
            plan = decide(replace(snapshot, measurements=tuple(offered.values())), self.world.now)
            for observer in self.observers:
                observer.planned(self.world, plan)
            try:
                whole = self._carry_out(plan)
            except Collision as collision:
                self._remember(self._foreign | {collision.key})
                continue
            if whole:
                self._conclude(plan, offered)
            return plan
        raise AssertionError("six looks in a row met somebody else's object")

    def _remember(self, foreign: frozenset[ObjectKey]) -> None:
        self._foreign = foreign
        self._recheck = self.world.now + timedelta(seconds=30) if foreign else None

    def _carry_out(self, plan: Plan) -> bool:
        crash, self._crash_after = self._crash_after, None
        for done, action in enumerate(plan.actions):
            if crash is not None and done >= crash:
                return self._restart()
            for observer in self.observers:
                observer.before(self.world, action, plan)
            if isinstance(action, WriteStatus):
                self.world.write_status(plan.status)
            else:
                self.world.perform(action)
            for observer in self.observers:
                observer.after(self.world, action, plan)
        if crash is not None:
            return self._restart()
        self.world.write_status(plan.status)
        return True

    def _restart(self) -> bool:
        self._foreign, self._recheck, self._wake = frozenset(), None, None
        self._running.clear()
        self._results.clear()
        self._seen = 0
        return False

    def _conclude(self, plan: Plan, offered: dict[tuple[str, str, str, int], Measurement]) -> None:
        for identity in offered:
            self._results.pop(identity, None)
        for measure in plan.measures:
            identity = (measure.revision, measure.stage, measure.metric.name, measure.index)
            if identity not in self._running and identity not in self._results:
                self._running[identity] = (self.world.now + timedelta(seconds=self.measuring_takes), measure)
        after = plan.requeue_after
        self._wake = self.world.now + timedelta(seconds=after) if after is not None else None
        for observer in self.observers:
            observer.finished(self.world, plan, plan.events)

    def _finish_measurements(self) -> None:
        for identity, (at, measure) in list(self._running.items()):
            if self.world.now < at:
                continue
            del self._running[identity]
            verdict = self.judge(measure)
            message = {"Pass": "every request was answered 200", "Fail": "1 of 5 requests was answered 500"}
            self._results[identity] = Measurement(
                revision=measure.revision,
                stage=measure.stage,
                metric=measure.metric.name,
                index=measure.index,
                verdict=verdict,
                message=message.get(verdict, "no answer within 2 s"),
                finished_at=self.world.now,
            )
            self._seen = 0
