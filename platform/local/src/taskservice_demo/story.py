"""The story: v1 under load, v2 promoted by hand, v3 crashes and is aborted, v4 promoted and rolled back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from taskservice_demo.load import Load
from taskservice_demo.pod_load import PodLoad, load_for
from taskservice_demo.stage import Stage, install_sample, is_ready, wait_ready
from taskservice_local.errors import LocalError
from taskservice_local.progress import say

NAMESPACE = "demo"
SERVICE = "tasks"
CALM_SECONDS = 4.0
POLL_SECONDS = 0.25


@dataclass
class Phase:
    """A stretch of the story.  Times are ``time.time``; ``outcome`` is one sentence."""

    name: str
    started_at: float
    ended_at: float = 0.0
    outcome: str = ""


@dataclass
class Story:
    """Tells the story on a prepared stage and remembers when what happened."""

    stage: Stage
    load_in_pod: bool | None = None
    phases: list[Phase] = field(default_factory=list)
    # Told again, its versions are others: one that is still up from before would be live at once, and show nothing.
    mark: str = field(default_factory=lambda: time.strftime("%H%M%S"))
    _shown: str = ""

    def tell(self) -> Load | PodLoad:
        """The whole story.  Returns the finished load.  Raises LocalError when an expected turn does not come."""
        with self.phase("install v1") as phase:
            self.release("v1", autoPromotion=True)
            phase.outcome = self.step()
        load = load_for(self.stage, NAMESPACE, in_pod=self.load_in_pod)
        where = "a pod" if isinstance(load, PodLoad) else "this machine"
        say(f"  the load comes from {where}: {load.rate:.0f} requests a second at most, nothing is retried")
        with load.running():
            with self.phase("v1 under load") as phase:
                time.sleep(CALM_SECONDS)
                phase.outcome = f"{len(load.samples)} requests, {len(load.failures())} failed"
            first = self.status()["revisions"]["active"]
            self._promoted_by_hand(first)
            second = self.status()["revisions"]["active"]
            self._aborted(second)
            self._rolled_back(second)
            with self.phase("after") as phase:
                self.release("v2", autoPromotion=True)
                time.sleep(CALM_SECONDS)
                phase.outcome = self.step()
        return load

    def _promoted_by_hand(self, first: str) -> None:
        with self.phase("release v2") as phase:
            self.release("v2", wait=False, autoPromotion=False)
            self.watch("v2 to wait for promotion", 120, lambda s: self.reason(s) == "AwaitingPromotion")
            phase.outcome = self.step()
        with self.phase("promote v2") as phase:
            say(self.stage.plugin("promote", SERVICE, "-n", NAMESPACE).strip())
            self.watch("v2 to be live", 60, lambda s: s["phase"] == "Stable" and s["revisions"].get("active") != first)
            phase.outcome = self.step()
            time.sleep(CALM_SECONDS)

    def _aborted(self, second: str) -> None:
        with self.phase("release v3, which crashes") as phase:
            broken = {"TASKSERVICE_LOG_LEVEL": "shout"}
            self.release("v3", wait=False, config=broken, autoPromotion=True, progressDeadlineSeconds=10)
            self.watch("v3 to be aborted", 60, lambda s: s["phase"] == "Failed")
            status = self.status()
            if status["revisions"].get("active") != second:
                raise LocalError("v3 was aborted, but v2 is not the live revision.")
            phase.outcome = status["failure"]["message"]
            say(f"  aborted by itself: {phase.outcome}")

    def _rolled_back(self, second: str) -> None:
        with self.phase("release v4") as phase:
            self.release("v4", autoPromotion=True)
            phase.outcome = self.step()
        with self.phase("roll back to v2") as phase:
            say(self.stage.plugin("rollback", SERVICE, "-n", NAMESPACE).strip())
            self.watch(
                "v2 to be live again", 60, lambda s: s["phase"] == "Failed" and s["revisions"]["active"] == second
            )
            phase.outcome = self.step()
            time.sleep(CALM_SECONDS)

    def release(self, version: str, *, wait: bool = True, config: dict[str, str] | None = None, **rollout: Any) -> None:
        """Ask for a version of tasks by ``helm upgrade``; with ``wait`` until it is Ready."""
        config = {"TASKSERVICE_VERSION": f"{version}-{self.mark}", **(config or {})}
        say(
            "  helm upgrade sample … "
            + " ".join(f"--set tasks.config.{name}={value}" for name, value in config.items())
        )
        settings = {"scaleDownDelaySeconds": 60, "smokeRequests": 3, **rollout}
        values = {"tasks": {"config": config}, "rollout": settings}
        install_sample(self.stage, NAMESPACE, values, wait=False)
        if wait:
            self.watch(f"{version} to be live", 240, lambda _: is_ready(self.stage.taskservice(NAMESPACE, SERVICE)))
            wait_ready(self.stage, NAMESPACE, "auth", 120)

    def status(self) -> dict[str, Any]:
        return self.stage.taskservice(NAMESPACE, SERVICE).get("status") or {}

    def step(self) -> str:
        return str(self.status().get("step", ""))

    @staticmethod
    def reason(status: dict[str, Any]) -> str:
        return next((each["reason"] for each in status.get("conditions", []) if each["type"] == "Ready"), "")

    def watch(self, what: str, seconds: float, until: Callable[[dict[str, Any]], bool]) -> None:
        """Show each change of the rollout until it is where it should be.  Raises LocalError when it never is."""
        end = time.monotonic() + seconds
        while True:
            found = self.stage.taskservice(NAMESPACE, SERVICE)
            status = found.get("status") or {}
            line = f"{status.get('phase', '-'):<11} {status.get('step', '')}"
            if line != self._shown:
                self._shown = line
                say(f"  {time.strftime('%H:%M:%S')} {line}")
            current = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            if status.get("revisions") and current and until(status):
                return
            if time.monotonic() > end:
                raise LocalError(f"waited {seconds:.0f} s for {what}; the rollout says: {line}")
            time.sleep(POLL_SECONDS)

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        say(f"— {name}")
        phase = Phase(name, time.time())
        self.phases.append(phase)
        try:
            yield phase
        finally:
            phase.ended_at = time.time()
