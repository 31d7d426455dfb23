"""A random story: people, pods, sources and the operator's own death, all from one seed."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from taskservice_operator.core.model import Measure, ObjectKey, VaultAnswer, VaultContent, VaultRequest, VaultTrouble
from testkit.builders import TaskServiceBuilder, a_taskservice
from testkit.invariants import Invariants, gone, require
from testkit.simulation import Observer, Simulation
from testkit.world import STARTS, World, crashes, dies_when_live, flaps, never, starts

IMAGES = tuple(f"app:{number}" for number in range(1, 7))
LOGIN = VaultRequest("default", "default", "default-default", "secret", "login")
TROUBLES = tuple(
    VaultTrouble(cause) for cause in ("VaultSealed", "VaultUnreachable", "VaultDenied", "VaultRoleMissing")
)
QUIET_SECONDS = 1600
"""Longer than every delay and deadline of a story."""


class Story:
    """One run.  ``play`` it, then ``settle`` it; both raise Violation with what broke.

    ``upgrade`` makes the operator one of another version, which renders pods differently.
    """

    def __init__(self, seed: int, upgrade: Callable[[int], None]) -> None:
        self.random = random.Random(seed)
        self._upgrade = upgrade
        self.trips = seed % 3 == 0
        self.invariants = Invariants()
        self.resource = self._first()
        self.world = World.of(self.resource)
        self.world.sources["ConfigMap", "settings"] = {"A": "1"}
        self.secret = _secret("1")
        self.world.set_vault(LOGIN, self.random.choice((self.secret, self.secret, TROUBLES[0], None)))
        self.sick: set[str] = set()
        observers: list[Observer] = [self.invariants]
        self.simulation = Simulation(
            self.world,
            observers,
            shuffle=self.random if seed % 2 else None,
            judge=self._judge,
            step=self.random.choice((1, 2, 5)),
        )
        for image in IMAGES:
            self.world.lives[image] = self._life()
        self.suffix = 0

    def _first(self) -> TaskServiceBuilder:
        pick = self.random.choice
        first = a_taskservice().image("app:1").replicas(pick((0, 1, 2, 2, 3, 4)))
        first = first.rollout(progressDeadlineSeconds=60, revisionHistoryLimit=pick((0, 1, 3)))
        first = first.blue_green(scaleDownDelaySeconds=pick((0, 20, 60)), autoPromotion=pick((True, True, True, False)))
        if self.random.random() < 0.3:
            first = first.autoscaled(2, 6)
        if self.random.random() < 0.3:
            first = first.blue_green(previewReplicas=1)
        if self.random.random() < 0.3:
            first = first.config_from("settings")
        if self.random.random() < 0.4:
            first = first.analysed_before(count=2, intervalSeconds=3)
        if self.random.random() < 0.5:
            first = first.analysed_after(count=3, intervalSeconds=4)
        if self.random.random() < 0.4 and "autoscaling" not in first.spec:
            first = self._by_steps(first)
        if self.random.random() < 0.4:
            first = first.vault_secret("login")
        return first

    def _by_steps(self, resource: TaskServiceBuilder) -> TaskServiceBuilder:
        """A canary with steps of all kinds, which a Deployment of any size may have."""
        pick = self.random.choice
        weights = sorted(self.random.sample((1, 10, 25, 50, 75, 90, 99, 100), pick((1, 2, 3))))
        steps: list[int | str | None] = []
        for weight in weights:
            steps += [weight, *pick(((), ("5s",), ("20s",), ("90s",), (None,)))]
        return resource.by_steps(*steps, maxSurge=pick(("25%", 0, 1, 2)), maxUnavailable=pick(("25%", 0, 1)))

    def _life(self) -> Any:
        return self.random.choice((STARTS, STARTS, STARTS, starts(12), crashes, never, flaps(), dies_when_live()))

    def _judge(self, measure: Measure) -> str:
        return self.random.choice(("Pass",) * 8 + ("Fail", "Error"))

    # -- events --------------------------------------------------------------------------------------------------
    def play(self, ticks: int) -> None:
        deeds = self._deeds()
        for _ in range(ticks):
            if self.random.random() < 0.12:
                self.random.choice(deeds)()
            if self.world.status.get("phase") == "Proving" and self.random.random() < 0.04:
                self._lose_stable()
            if self.world.status.get("phase") == "Stepping" and self.random.random() < 0.04:
                self._lose_stable_in_mid_canary()
            self._trip_after_steps()
            if self.random.random() < 0.06:
                self.simulation.crash_soon(self.random.randrange(8))
            self.simulation.tick()

    def _deeds(self) -> list[Callable[[], None]]:
        pick = self.random.choice
        common: list[Callable[[], None]] = [
            lambda: self._edit(self.resource.image(pick(IMAGES))),
            lambda: self._verb("abort", "candidate"),
            lambda: self._verb("rollback", "active"),
            lambda: self._verb("promote", "candidate"),
            self._break_pods,
        ]
        rare: list[Callable[[], None]] = [
            lambda: self._edit(self.resource.replicas(pick((0, 1, 2, 3, 5)))),
            lambda: self._edit(self.resource.image(pick(IMAGES)).replicas(pick((1, 2, 4)))),
            lambda: self._edit(self.resource.rollout(strategy="BlueGreen").autoscaled(pick((1, 2, 3)), 6)),
            lambda: self._edit(self.resource.not_autoscaled()),
            lambda: self._edit(self.resource.paused(not self.resource.spec.get("paused", False))),
            lambda: self._edit(self.resource.paused(False)),
            lambda: self._edit(self.resource.config_from("settings")),
            lambda: self._edit(self.resource.having(config=None)),
            lambda: self._edit(self.resource.analysed_before(count=pick((1, 3)))),
            lambda: self._source({"A": pick("123")}),
            lambda: self._source(None),
            lambda: self._edit(self.resource.vault_secret("login")),
            lambda: self._edit(self.resource.having(secrets=None)),
            lambda: self._vault(_secret(pick("123"))),
            lambda: self._vault(pick(TROUBLES)),
            lambda: self._vault(None),
            lambda: self._vault(self.secret),
            lambda: self._verb("retry", "wanted"),
            lambda: self._verb("promote", "wanted"),
            lambda: self._verb("promote-full", "candidate"),
            lambda: self._edit(self._by_steps(self.resource.not_autoscaled())),
            lambda: self._edit(self.resource.rollout(strategy="BlueGreen")),
            lambda: self._verb("abort", "active"),
            self._demand,
            self._delete_something,
            self._edit_something,
            self._heal_pods,
            self._collide,
            lambda: self._upgrade(pick(range(1, 9))),
        ]
        return common * 2 + rare

    def _edit(self, resource: TaskServiceBuilder) -> None:
        # A replica count does not make another revision, but it may come with one.
        if _shape(resource) != _shape(self.resource):
            self.invariants.changed_spec()
        self.resource = resource
        self.world.edit(resource)

    def _source(self, data: dict[str, str] | None) -> None:
        if data is not None and data != self.world.sources["ConfigMap", "settings"]:
            self.invariants.changed_spec()
        self.world.set_source("ConfigMap", "settings", data)

    def _vault(self, answer: VaultAnswer | None) -> None:
        """Another content, a trouble, or an operator that has not asked yet."""
        if isinstance(answer, VaultContent):
            if answer != self.secret:
                self.invariants.changed_spec()
            self.secret = answer
        self.world.set_vault(LOGIN, answer)

    def _verb(self, verb: str, role: str) -> None:
        revision = (self.world.status.get("revisions") or {}).get(role)
        if revision:
            self.suffix += 1
            value = f"{revision}@{self.suffix}"
            self.invariants.asks(verb, value)
            self.world.annotate(verb, value)

    def _demand(self) -> None:
        self.world.demand = self.random.randrange(8)

    def _break_pods(self) -> None:
        """An image goes bad while it runs, as when what it depends on goes away."""
        self.world.lives[self.random.choice(IMAGES)] = self._life()

    def _heal_pods(self) -> None:
        self.world.lives[self.random.choice(IMAGES)] = STARTS

    def _delete_something(self) -> None:
        mine = [key for key, manifest in self.world.objects.items() if self.world.owner.owns(manifest)]
        if mine:
            self.world.remove(self.random.choice(mine))

    def _edit_something(self) -> None:
        for key, manifest in self.world.objects.items():
            if not self.world.owner.owns(manifest) or self.random.random() < 0.5:
                continue
            if key.kind == "Deployment":
                self.world.scale_by_subresource(key, self.random.randrange(1, 5), "kubectl")
                self.invariants.scaled_by_hand_at = self.world.now
                return
            if key.kind == "Service" and key.name == self.world.owner.preview:
                self.world.replace(key, selector={"nobody": "knows"})
                return

    def _lose_stable(self) -> None:
        """The way back is gone just when it is asked for; and then somebody releases a remedy."""
        revisions = self.world.status.get("revisions") or {}
        stable, candidate = revisions.get("stable"), revisions.get("candidate")
        if stable and candidate:
            self.world.lives.update({pod.image: never for pod in self.world.pods.values() if pod.revision == stable})
            self.simulation.tick()
            self._verb("abort", "candidate")
            self.simulation.tick()
            self._edit(self.resource.image(self.random.choice(IMAGES)))

    def _lose_stable_in_mid_canary(self) -> None:
        """What a canary comes home to is gone just when it is left for another revision."""
        stable = (self.world.status.get("revisions") or {}).get("stable")
        self.world.lives.update({pod.image: never for pod in self.world.pods.values() if pod.revision == stable})
        self.simulation.tick()
        self._edit(self.resource.image(self.random.choice(IMAGES)))
        if self.random.random() < 0.5:
            self.simulation.run(70)

    def _trip_after_steps(self) -> None:
        """The operator dies between the intent to promote a canary and the switch, and then pods are lost."""
        status = self.world.status
        canary, candidate = status.get("canary"), (status.get("revisions") or {}).get("candidate")
        if canary is None or not self.trips:
            return
        if status["phase"] == "Stepping" and canary["stepIndex"] >= canary["stepCount"] - 1:
            self.simulation.crash_soon(1)
        if status["phase"] == "Promoting" and self.world.spread:
            images = {pod.image for pod in self.world.pods.values() if pod.revision == candidate}
            self.world.lives.update({image: self.random.choice((never, crashes, flaps())) for image in images})

    def _collide(self) -> None:
        key = ObjectKey("v1", "Service", self.world.owner.preview)
        if key not in self.world.objects:
            self.world.put_foreign(*("v1", "Service", self.world.owner.preview))

    # -- the end -------------------------------------------------------------------------------------------------
    def settle(self) -> None:
        """No more faults and edits: within bounded time nothing moves any more, and what is there is right."""
        world, resource = self.world, self.resource.paused(False).blue_green(autoPromotion=True)
        self._edit(resource)
        if world.sources["ConfigMap", "settings"] is None:
            self._source({"A": "1"})
        self._vault(self.secret)
        for key in [key for key, m in world.objects.items() if not world.owner.owns(m)]:
            world.remove(key)
        for image, life in world.lives.items():
            if life not in (crashes, never):
                world.lives[image] = STARTS
        self.simulation.judge = lambda measure: "Pass"
        self.simulation.step = 5
        self.simulation.run(QUIET_SECONDS)
        version, passes = world.version, self.simulation.passes
        self.simulation.run(120)
        require(world.version == version, "it never comes to rest")
        require(self.simulation.passes - passes <= 2, f"{self.simulation.passes - passes} passes while nothing happens")
        world.elapse(3600.4)
        plan = self.simulation.reconcile()
        require(plan.is_empty(world.status), f"an idle TaskService is written to: {plan.actions}")
        self._check_end(resource)
        if world.status["phase"] == "Stepping":
            self._verb("promote-full", "candidate")
            self.simulation.run(QUIET_SECONDS)
            require(world.status["phase"] in ("Stable", "Failed", "Returning"), "steps for ever")
            self._check_end(resource)

    def _check_end(self, resource: TaskServiceBuilder) -> None:
        world, status = self.world, self.world.status
        revisions, phase = status["revisions"], status["phase"]
        # A return that is held rests, too: stable has nobody to serve, and what was given up goes on serving.
        lost = phase == "Returning" and gone(world, revisions["stable"])
        held = lost or (
            phase == "Returning" and world.ready(revisions["stable"]) == 0 and world.ready(revisions["candidate"]) > 0
        )
        require(not held or status["blockedOn"]["reason"] == "StableUnavailable", "waits, and does not say for what")
        growing = world.spread and status.get("blockedOn", {}).get("reason") == "GrowingToCarryAll"
        require(
            not growing or world.ready(revisions.get("stable")) == 0, "waits for a side that could carry everything"
        )
        asks = phase == "Stepping" and "kubectl taskservice promote" in status["step"]
        dark = status.get("blockedOn", {}).get("reason") == "NobodyServes"
        alive = world.ready(revisions.get("stable")) + world.ready(revisions.get("candidate"))
        require(not dark or not alive, "somebody could serve")
        require(phase in ("Stable", "Failed") or held or asks or dark, f"rests in {phase}: {status['step']}")
        require(
            revisions["wanted"] == resource.revision(world.sources, world.vault),
            "another revision is wanted than the spec says",
        )
        if phase == "Stable" and not growing:
            require(
                revisions["wanted"] == revisions["active"] == world.live_revision, "Stable, but not on the wanted one"
            )
            healthy = world.lives[resource.spec["image"]] is STARTS
            ready = {c["type"]: c["status"] for c in status["conditions"]}["Ready"]
            require(not healthy or ready == "True", f"healthy and not Ready: {status['step']}")
        elif not asks and not growing and not dark:
            require(status["failure"]["revision"] == revisions["wanted"], "Failed, but not for what is wanted")
        # The live one is the active one, except after first releases of which none was ever whole.
        left = {pod.revision for pod in world.pods.values()} - {world.live_revision, revisions.get("candidate")}
        left -= {revisions["stable"]} if held or asks or dark else set()
        require(growing or not left, f"pods of {left} are left over")
        retiring = {entry["revision"] for entry in status.get("retiring") or ()} - {world.live_revision}
        require(growing or not retiring, f"{retiring} are still retiring")
        # What still serves after a canary has a part to play.
        self._check_garbage(resource.spec["rollout"]["revisionHistoryLimit"] + growing)

    def _check_garbage(self, limit: int) -> None:
        records = [key for key in self.world.objects if key.kind == "ControllerRevision"]
        require(len(records) <= limit + 2, f"{len(records)} revisions are kept, {limit} are asked for")
        deployments = sum(key.kind == "Deployment" for key in self.world.objects)
        require(deployments <= limit + 2, f"{deployments} Deployments are kept")


def _shape(resource: TaskServiceBuilder) -> Any:
    return {key: value for key, value in resource.spec.items() if key not in ("replicas", "paused", "rollout")}


def _secret(value: str) -> VaultContent:
    return VaultContent({"PASSWORD": base64.b64encode(value.encode()).decode()})
