"""A canary under load: each weight is what users meet, and neither its steps nor its abort cost anybody a request."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from taskservice_local.paths import CHECKOUT
from testkit.answers import Answers
from testkit.live import Live, an_echo

NAME = "steps"
POINTS = 3.0
"""How far the measured share may be from the weight, in percent of requests."""
SAMPLE = 3600
"""Requests per weight: at 50 % one standard deviation is then 0.83 points."""
NODE_SECONDS = 3.0
"""Until the node's proxy has learned of new endpoints."""
PROBE = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}
PAGE = re.search(r"^```yaml\n(.*?)^```$", (CHECKOUT / "docs" / "canary.md").read_text(), re.MULTILINE | re.DOTALL)
EXAMPLE: dict[str, Any] = yaml.safe_load(PAGE[1] if PAGE else "")["spec"]
"""What docs/canary.md shows is what is released here."""
ROLLOUT = {**EXAMPLE["rollout"], "abortScaleDownDelaySeconds": 1}


@pytest.fixture(scope="module")
def steps(live: Live) -> Live:
    live.apply(an_echo(live.stage, NAME, replicas=EXAMPLE["replicas"], probes={"readiness": PROBE}, rollout=ROLLOUT))
    live.wait_ready(NAME, 180)
    return live


def test_a_canary_of_10_50_and_100_percent_splits_requests_so_and_drops_none(steps: Live) -> None:
    stable = steps.active(NAME)
    answers = Answers(steps.stage.target(steps.namespace, NAME), rate=200, workers=8)
    shares: dict[int, float] = {}
    with answers.running():
        steps.change(NAME, env=[{"name": "ECHO_GREETING", "value": "two"}])
        candidate = pausing(steps, 1)["status"]["revisions"]["candidate"]
        shares[10] = share_of(answers, candidate)
        tree = steps.plugin("get", NAME)
        steps.plugin("promote", NAME)
        found = pausing(steps, 3)
        shares[50] = share_of(answers, candidate)
        steps.plugin("promote", NAME)
        steps.wait_ready(NAME, 180)
        shares[100] = share_of(answers, candidate)
    lost = answers.failed(0.0, float("inf"))
    print(f"\n{len(answers.taken)} requests, {len(lost)} failed; measured shares of the candidate in percent: {shares}")
    assert "canary step 2 of 5  weight 10 %" in tree
    assert found["status"]["canary"]["observedWeight"] == 50
    assert lost == []
    assert len(answers.taken) >= 10_000
    assert {weight: abs(share - weight) <= POINTS for weight, share in shares.items()} == dict.fromkeys(shares, True)
    assert steps.active(NAME) == candidate != stable
    assert "canary" not in steps.status(NAME)


def test_an_abort_at_half_the_traffic_brings_all_of_it_back_and_drops_none(steps: Live) -> None:
    stable = steps.active(NAME)
    before = steps.pod_uids(NAME, stable)
    answers = Answers(steps.stage.target(steps.namespace, NAME), rate=200, workers=8)
    with answers.running():
        steps.change(NAME, env=[{"name": "ECHO_GREETING", "value": "three"}])
        candidate = pausing(steps, 1)["status"]["revisions"]["candidate"]
        steps.plugin("promote", NAME)
        pausing(steps, 3)
        wait_until("half of a sample is answered", lambda: len(answers.taken) >= SAMPLE // 2)
        steps.plugin("abort", NAME)
        found = steps.wait_phase(NAME, "Failed", 180)
        home = time.time() + NODE_SECONDS
        wait_until("the candidate's pods are gone", lambda: not steps.pod_uids(NAME, candidate))
        wait_until("it is answered for a while", lambda: answers.by_revision(home)[stable] > SAMPLE // 4)
    lost = answers.failed(0.0, float("inf"))
    after = answers.by_revision(home)
    print(f"\n{len(answers.taken)} requests, {len(lost)} failed; after the return answered by {dict(after)}")
    assert lost == []
    assert set(after) == {stable}
    assert found["status"]["failure"]["reason"] == "AbortRequested"
    assert found["status"]["failure"]["revision"] == candidate
    assert steps.active(NAME) == stable
    assert len(steps.pod_uids(NAME, stable)) == EXAMPLE["replicas"]
    assert len(steps.pod_uids(NAME, stable) & before) >= EXAMPLE["replicas"] // 2, "what stable kept was not restarted"


def pausing(live: Live, index: int) -> dict[str, Any]:
    """The TaskService once it pauses at a step."""

    def pauses(found: dict[str, Any]) -> bool:
        at = (found["status"].get("canary") or {}).get("stepIndex")
        return at == index and "kubectl taskservice promote" in found["status"]["step"]

    return live.wait(NAME, f"pausing at step {index + 1}", pauses, 180)


def share_of(answers: Answers, revision: str) -> float:
    """Percent of requests that a revision answers from now on, by a sample."""
    since = time.time() + NODE_SECONDS
    wait_until(f"{SAMPLE} requests are answered", lambda: answers.by_revision(since).total() >= SAMPLE, 120)
    counted = answers.by_revision(since)
    return round(100 * counted[revision] / counted.total(), 1)


def wait_until(what: str, holds: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
