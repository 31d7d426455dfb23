"""The sample application is released under load, and nobody notices."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from taskservice_demo.load import Load
from taskservice_demo.stage import install_sample, wait_ready
from testkit.live import Live

REQUESTS = 20_000


@pytest.fixture(scope="module")
def sample(live: Live) -> Live:
    release(live, "one")
    for name in ("auth", "tasks"):
        wait_ready(live.stage, live.namespace, name, 300)
    return live


def release(live: Live, version: str) -> None:
    rollout = {"scaleDownDelaySeconds": 8, "smokeRequests": 3}
    values = {"tasks": {"config": {"TASKSERVICE_VERSION": version}}, "rollout": rollout}
    install_sample(live.stage, live.namespace, values, wait=False)


def test_releases_and_a_rollback_under_load_drop_no_request(sample: Live) -> None:
    auth, tasks = (sample.stage.target(sample.namespace, name) for name in ("auth", "tasks"))
    load = Load(auth, tasks, keep_alive=8, fresh=4, rate=260, limit_seconds=420)
    live_revisions = [sample.active("tasks")]
    with load.running():
        for version in ("two", "three"):
            release(sample, version)
            sample.wait_ready("tasks", 180)
            live_revisions.append(sample.active("tasks"))
            time.sleep(14)  # past the scale-down of the side before: its pods leave under load as well
        sample.plugin("rollback", "tasks")
        sample.wait("tasks", "rolled back", lambda f: f["status"]["revisions"]["active"] == live_revisions[1], 120)
        end = time.monotonic() + 240
        while len(load.samples) < REQUESTS and time.monotonic() < end:
            time.sleep(0.5)
    answered = Counter(sample_.revision for sample_ in load.samples if sample_.kind != "login" and sample_.revision)
    print(f"\n{len(load.samples)} requests, answered by {json.dumps(answered)}")
    assert load.failures() == []
    assert len(load.samples) >= REQUESTS
    assert len(set(live_revisions)) == 3
    assert set(live_revisions) <= set(answered)
