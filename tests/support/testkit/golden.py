"""Rollouts as text: who did what when, in words and with stable names, to be compared with a file in tests/golden."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.core.model import (
    Action,
    Apply,
    Create,
    Delete,
    Measure,
    Note,
    ObjectKey,
    Plan,
    VaultAnswer,
    VaultContent,
    WriteStatus,
)
from taskservice_operator.core.vaulted import requests
from testkit.builders import START, TaskServiceBuilder
from testkit.invariants import Invariants
from testkit.simulation import Observer, Simulation
from testkit.world import Life, World

LEGEND = """\
# Legend
#   12s you       what a person or the world does
#   12s Reason    an event of the operator, in its own words
#       + Kind name / ~ Kind name / - Kind name     it creates, applies, deletes (! is a status written early)
#       Phase [RAPD] | r1 ready/asked r2* ... | status.step       after every change of any of these
#   R Ready, A Available, P Progressing, D Degraded: "-" where not True
#   r1, r2, ... are revisions in order of appearance; the star marks the one that the live Service selects
"""


class Scribe(Observer):
    """Writes the log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines: list[str] = []
        self._aliases: dict[str, str] = {}
        self._state = ""

    def says(self, who: str, what: str) -> None:
        self.lines.append(self._named(f"{self._at():>4}s {who:<9} {what}"))

    def before(self, world: World, action: Action, plan: Plan) -> None:
        match action:
            case Create(manifest):
                self._did("+", ObjectKey.of(manifest), manifest)
            case Apply(manifest):
                self._did("~", ObjectKey.of(manifest), manifest)
            case Delete(key):
                self._did("-", key, {})
            case WriteStatus():
                self.lines.append(f"      ! {plan.status['phase']}")

    def finished(self, world: World, plan: Plan, notes: tuple[Note, ...]) -> None:
        for note in notes:
            self.says(note.reason, f"{note.message}{' (warning)' if note.warning else ''}")
        self.look()

    def look(self) -> None:
        """Write the state down if it has changed."""
        status, world = self.world.status, self.world
        if not status:
            return
        conditions = "".join(c["type"][0] if c["status"] == "True" else "-" for c in status["conditions"][:4])
        sides = " ".join(
            f"{side}{'*' if world.selects(side) else ''} {world.ready(side)}/{world.replicas(side)}"
            for side in self._revisions()
        )
        canary = status.get("canary")
        weight = f" {canary['observedWeight']} % of {canary['desiredWeight']} %" if canary else ""
        state = self._named(f"{status['phase']}{weight} [{conditions}] | {sides} | {status['step']}")
        if state != self._state:
            self._state = state
            self.lines.append(f"      {state}")

    def _revisions(self) -> list[str]:
        found = [
            (manifest["revision"], manifest["metadata"]["labels"][names.LABEL_REVISION])
            for key, manifest in self.world.objects.items()
            if key.kind == "ControllerRevision"
        ]
        return [revision for _, revision in sorted(found) if self._has_deployment(revision)]

    def _has_deployment(self, revision: str) -> bool:
        return ObjectKey("apps/v1", "Deployment", self.world.owner.child(revision)) in self.world.objects

    def _did(self, sign: str, key: ObjectKey, manifest: Any) -> None:
        detail = ""
        spec = manifest.get("spec") or {}
        if key.kind == "Service":
            revision = spec["selector"].get(names.LABEL_REVISION, "")
            if revision:
                self._alias(revision)
            detail = f" → {revision or 'every revision'}"
        elif key.kind == "Deployment":
            detail = f" replicas {spec['replicas']}" if "replicas" in spec else " (replicas: the autoscaler's)"
        elif key.kind == "HorizontalPodAutoscaler" and spec:
            detail = f" {spec['minReplicas']}–{spec['maxReplicas']}"
        elif key.kind == "ConfigMap":
            detail = f" {manifest.get('data', '')}"
        self.lines.append(self._named(f"      {sign} {key}{detail}"))

    def _alias(self, revision: str) -> None:
        self._aliases.setdefault(revision, f"r{len(self._aliases) + 1}")

    def _named(self, text: str) -> str:
        for revision in [self.world.status.get("revisions", {}).get("wanted")]:
            if revision:
                self._alias(revision)
        for revision, alias in self._aliases.items():
            text = text.replace(revision, alias)
        return text

    def _at(self) -> int:
        return round((self.world.now - START).total_seconds())


class Stage:
    """What a scenario may do: people's deeds, scripts of the world, and the passing of time."""

    def __init__(self, resource: TaskServiceBuilder, seed: int | None = None) -> None:
        self.resource = resource
        self.world = World.of(resource)
        self.scribe = Scribe(self.world)
        shuffle = random.Random(seed) if seed is not None else None
        self.simulation = Simulation(self.world, [Invariants(), self.scribe], shuffle=shuffle)

        self.scribe.says("you", f"create {_short(resource)}")

    def apply(self, resource: TaskServiceBuilder, says: str = "") -> None:
        self._invariants.changed_spec()
        self.scribe.says("you", says or f"apply {_short(resource)}")
        self.resource = resource
        self.world.edit(resource)

    def run(self, seconds: float) -> Stage:
        self.simulation.run(seconds)
        return self

    def until(self, phase: str, limit: int = 300) -> Stage:
        """Let time pass until a phase is reached."""
        for _ in range(limit):
            if self.phase == phase:
                return self
            self.simulation.tick()
        raise AssertionError(f"{phase} was not reached in {limit} s, but {self.phase}: {self.world.status['step']}")

    def asks(self, verb: str, role: str = "candidate") -> None:
        revision = self.world.status["revisions"][role]
        earlier = sum(value.startswith(revision) for value in self._invariants.asked.get(verb, ()))
        value = f"{revision}@{earlier + 1}" if earlier else revision
        self._invariants.asks(verb, value)
        self.scribe.says("you", f"kubectl taskservice {verb} ({revision})")
        self.world.annotate(verb, value)

    def image_lives(self, image: str, life: Life, says: str = "") -> None:
        if says:
            self.scribe.says("world", says)
        self.world.lives[image] = life

    def measures(self, judge: Callable[[Measure], str]) -> None:
        self.simulation.judge = judge

    def load(self, replicas: int) -> None:
        self.scribe.says("world", f"load for {replicas} replicas")
        self.world.demand = replicas

    def source(self, name: str, data: dict[str, str] | None) -> None:
        self._invariants.changed_spec()
        self.scribe.says("you", f"{'delete' if data is None else 'set'} ConfigMap {name} {data or ''}".rstrip())
        self.world.set_source("ConfigMap", name, data)

    def vault(self, answer: VaultAnswer) -> None:
        """What Vault answers to everything that the resource asks for, from now on."""
        if isinstance(answer, VaultContent):
            self._invariants.changed_spec()
        told = dict(answer.data) if isinstance(answer, VaultContent) else answer.cause
        self.scribe.says("world", f"Vault answers {told}")
        for request in requests(self.world.taskservice):
            self.world.set_vault(request, answer)

    def says(self, what: str) -> None:
        self.scribe.says("you", what)

    @property
    def phase(self) -> str:
        return self.world.status.get("phase", "")

    @property
    def _invariants(self) -> Invariants:
        first = self.simulation.observers[0]
        assert isinstance(first, Invariants)
        return first

    def ending(self) -> str:
        """Where the story ended, without when: equal in whatever order things happened."""
        self.scribe.look()
        return self.scribe._state


def compare(path: Path, text: str) -> None:
    """Compare with the file, or rewrite it when ``GOLDEN_UPDATE`` is set."""
    if os.environ.get("GOLDEN_UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path.name} does not exist: run again with GOLDEN_UPDATE=1 and read it"
    assert text == path.read_text(), f"{path.name} differs: if that is meant, run again with GOLDEN_UPDATE=1"


def _short(resource: TaskServiceBuilder) -> str:
    wanted = {key: value for key, value in resource.spec.items() if key != "rollout"}
    return " ".join(f"{key}={value}" for key, value in wanted.items())
