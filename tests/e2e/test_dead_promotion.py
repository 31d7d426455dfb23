"""Every pod of a revision dies just after it was promoted: traffic is back on the stable side in the pass that sees it.

Peers wait for the dead side here: Argo Rollouts 1.9.1, in the same story, kept live traffic on it for 400 seconds.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from testkit.answers import Answers
from testkit.live import TSVC, Live, an_echo

SWITCH_SECONDS = 15.0
"""Between the pods' being seen unready and the selector's pointing at stable: one pass, on however busy a machine."""
NODE_SECONDS = 5.0
"""Until the node's proxy has learned of the switch."""
PROOF = {"name": "later", "provider": "http", "count": 5, "intervalSeconds": 60, "http": {"path": "/", "requests": 1}}


class Seen:
    """Each version of a kind's objects as a watch reports it, with the time at which it came."""

    def __init__(self, live: Live, kind: str, *words: str) -> None:
        self.versions: list[tuple[float, dict[str, Any]]] = []
        argv = [str(word) for word in live.stage.kubectl.base]
        self._process = subprocess.Popen(
            [*argv, "-n", live.namespace, "get", kind, *words, "--watch", "-o", "json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join(5)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        decoder, text = json.JSONDecoder(), ""
        for line in self._process.stdout or ():
            text += line
            if line.rstrip() == "}":  # the end of one pretty-printed document
                self.versions.append((time.time(), decoder.decode(text)))
                text = ""


def wait_until(what: str, holds: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.mark.parametrize("death", ["crash", "sicken"])
def test_traffic_is_back_on_stable_in_the_pass_that_sees_the_promoted_side_dead(live: Live, death: str) -> None:
    name = f"dies-by-{death}"
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1, "failureThreshold": 1}
    rollout = {"analysis": {"postPromotion": [PROOF]}, "abortScaleDownDelaySeconds": 60}
    live.apply(an_echo(live.stage, name, probes={"readiness": probe}, rollout=rollout))
    live.wait_ready(name)
    stable = live.active(name)
    before = {pod["metadata"]["uid"] for pod in pods_of(live, name, stable)}
    answers = Answers(live.stage.target(live.namespace, name))
    labels = ("-l", f"taskservice.dev/name={name}")
    seen = {kind: Seen(live, kind, *labels) for kind in ("pods", "services")} | {"status": Seen(live, f"{TSVC}/{name}")}
    try:
        with answers.running():
            live.change(name, env=[{"name": "ECHO_GREETING", "value": "two"}])
            live.wait_phase(name, "Proving")
            promoted = live.status(name)["revisions"]["candidate"]
            wait_until("the promoted side answers", lambda: answers.taken and answers.taken[-1][1] == promoted)
            victims = pods_of(live, name, promoted)
            died_at = time.time()
            for pod in victims:
                tell(pod, f"/{death}")
            live.wait_phase(name, "Failed", 60)
            wait_until("the switch is seen", lambda: switched_at(seen["services"], name, stable, died_at))
            switch = switched_at(seen["services"], name, stable, died_at) or 0.0
            wait_until("it is answered for a while", lambda: time.time() > switch + NODE_SECONDS + 6)
    finally:
        for each in seen.values():
            each.close()

    failure = live.status(name)["failure"]
    assert (failure["reason"], failure["revision"]) == ("PromotedUnavailable", promoted)
    assert live.active(name) == stable

    noticed = dead_at(seen["pods"], {pod["metadata"]["uid"] for pod in victims}, died_at)
    lost = answers.failed(died_at, float("inf"))
    dark = max((at for at, _, _ in lost), default=died_at) - died_at
    print(
        f"\n{name}: {len(answers.taken)} requests; pods unready {noticed - died_at:.2f} s after their death, "
        f"traffic back {switch - noticed:.2f} s later; {len(lost)} requests failed, the last {dark:.2f} s after it"
    )
    assert switch - noticed < SWITCH_SECONDS
    # It was one pass: no status says that nobody of the live side is ready and that this is still being proved.
    waited = [
        found["status"]
        for _, found in seen["status"].versions
        if (found.get("status") or {}).get("phase") == "Proving" and not found["status"].get("readyReplicas", 0)
    ]
    assert not waited, waited
    assert answers.failed(0.0, died_at) == [], "nothing fails before"
    assert answers.failed(switch + NODE_SECONDS, float("inf")) == [], "nothing fails once nodes know"
    after = {revision for at, revision, failed in answers.taken if at > switch + NODE_SECONDS and not failed}
    assert after == {stable}

    survivors = pods_of(live, name, stable)
    assert {pod["metadata"]["uid"] for pod in survivors} == before, "no pod of stable was touched"
    assert [each["restartCount"] for pod in survivors for each in pod["status"]["containerStatuses"]] == [0, 0]


def pods_of(live: Live, name: str, revision: str) -> list[dict[str, Any]]:
    labels = f"taskservice.dev/name={name},taskservice.dev/revision={revision}"
    return [pod for pod in live.list("pods", "-l", labels) if not pod["metadata"].get("deletionTimestamp")]


def tell(pod: dict[str, Any], path: str) -> None:
    connection = http.client.HTTPConnection(pod["status"]["podIP"], 8000, timeout=5)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        assert path == "/crash"  # it died before it could answer
    finally:
        connection.close()


def switched_at(services: Seen, name: str, revision: str, since: float) -> float | None:
    """When the live Service was first seen to select a revision, after a moment."""
    for at, service in list(services.versions):
        selected = service["spec"]["selector"].get("taskservice.dev/revision")
        if at > since and service["metadata"]["name"] == name and selected == revision:
            return at
    return None


def dead_at(pods: Seen, victims: set[str], since: float) -> float:
    """When the last of the victims was first seen unready."""
    first: dict[str, float] = {}
    for at, pod in pods.versions:
        uid = pod["metadata"]["uid"]
        if at > since and uid in victims and not is_ready(pod):
            first.setdefault(uid, at)
    assert set(first) == victims, "each of them was seen unready"
    return max(first.values())
