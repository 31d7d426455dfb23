"""The operator itself may die at any moment, idles for nothing, and is one however many run."""

from __future__ import annotations

import time

import pytest

from taskservice_demo.stage import OPERATOR_NAMESPACE
from testkit.installed_operator import count_writes, leader, leading_pods, operator_pods
from testkit.live import Live, an_echo


def kill_leader(live: Live) -> str:
    """Remove the leading pod at once, as a lost node would.  Returns its name."""
    end = time.monotonic() + 60
    while not (pods := leading_pods(live)):
        assert time.monotonic() < end, f"no pod of ours holds the lease: {leader(live)}"
        time.sleep(0.3)
    name = pods[0]["metadata"]["name"]
    live.stage.kubectl("delete", "pod", name, "-n", OPERATOR_NAMESPACE, "--grace-period=0", "--force")
    return name


@pytest.mark.parametrize("phase", ["Staging", "Verifying", "Proving"])
def test_a_release_completes_though_the_operator_is_killed_in_phase(live: Live, phase: str) -> None:
    name = f"killed-{phase.lower()}"
    check = {
        "name": "check",
        "provider": "http",
        "intervalSeconds": 2,
        "count": 3,
        "http": {"path": "/", "requests": 2},
    }
    rollout = {"analysis": {"prePromotion": [check], "postPromotion": [check]}}
    live.apply(an_echo(live.stage, name, rollout=rollout))
    live.wait_ready(name)
    first = live.active(name)
    live.change(name, env=[{"name": "ECHO_START_SECONDS", "value": "3"}])
    live.wait(name, phase, lambda f: f["status"]["phase"] == phase)
    kill_leader(live)
    live.wait(name, "released", lambda f: f["status"]["revisions"]["active"] != first, 150)
    live.wait_ready(name, 120)
    assert live.answers(name, TASKSERVICE_REVISION=live.active(name))


def test_of_two_operators_one_leads_and_the_other_takes_over(live: Live) -> None:
    end = time.monotonic() + 90
    while len(operator_pods(live)) != 2 or len(leading_pods(live)) != 1:
        assert time.monotonic() < end
        time.sleep(0.5)
    killed = kill_leader(live)
    while killed in leader(live) or not leading_pods(live):
        assert time.monotonic() < end + 60
        time.sleep(0.5)


def test_an_idle_taskservice_costs_no_write(live: Live) -> None:
    """Other TaskServices of this operator may still have something to do; then the look is repeated."""
    live.apply(an_echo(live.stage, "idle", replicas=1))
    live.wait_ready("idle")
    time.sleep(5)
    seen = live.tsvc("idle")["metadata"]["resourceVersion"]
    windows = []
    for _ in range(8):
        before = count_writes(live)
        time.sleep(12)
        windows.append(count_writes(live) - before)
        assert before > 0, "the counter counts"
        assert live.tsvc("idle")["metadata"]["resourceVersion"] == seen
        if not windows[-1]:
            break
    assert windows[-1] == 0, f"writes in each of {len(windows)} looks of 12 s: {windows}"
