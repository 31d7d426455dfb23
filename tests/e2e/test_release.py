"""The sample application is released under load, and nobody notices."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from taskservice_demo.load import PASSWORD, Load
from taskservice_demo.stage import OPERATOR_NAMESPACE, install_sample, wait_ready
from testkit.live import Live
from testkit.secret_scan import leaks, values_of

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
    assert_no_secret_was_logged(sample, {f"token {each.email}": each.token for each in load.accounts})


def assert_no_secret_was_logged(sample: Live, tokens: dict[str, str]) -> None:
    """Every log line of the sample and the operator, against every Secret they hold and every token of the load."""
    namespaces = (sample.namespace, OPERATOR_NAMESPACE)
    kubectl = sample.stage.kubectl
    secrets = values_of(
        each for name in namespaces for each in (kubectl.get("secrets", "-n", name) or {"items": []})["items"]
    )
    # Helm's own records hold manifests, no log would hold them whole; names of users are no secrets.
    secrets = {name: value for name, value in secrets.items() if "/sh.helm.release." not in name}
    assert {"TASKSERVICE_MONGO_URL", "keyfile"} <= {name.rpartition(":")[2] for name in secrets}
    secrets |= tokens | {"password of the load": PASSWORD}
    for namespace in namespaces:
        for pod in (kubectl.get("pods", "-n", namespace) or {"items": []})["items"]:
            name = pod["metadata"]["name"]
            log = kubectl("logs", "-n", namespace, name, "--all-containers", "--ignore-errors")
            assert leaks(log, secrets) == [], f"in the log of {namespace}/{name}"
