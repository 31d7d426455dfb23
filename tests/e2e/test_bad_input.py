"""Nine ways to get it wrong, on the real cluster: refused with a sentence, or a condition that says what to do.

Never a crash, a hot loop, or something half applied; what runs already is not disturbed.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from taskservice_local.commands import wait_for
from taskservice_local.errors import LocalError
from testkit.installed_operator import count_passes, count_writes, restarts
from testkit.live import Live, an_echo

WINDOW_SECONDS = 12
MOST_PASSES = 60
"""In a window, of everything on the cluster: a hot loop makes hundreds."""
MOST_WRITES = 20
OWNED = "deployments,services,horizontalpodautoscalers,configmaps,secrets,controllerrevisions,poddisruptionbudgets"
MISSING = object()

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "image missing": ("bad", {"image": MISSING}, "spec.image: Required value"),
    "port out of range": ("bad", {"port": 70000}, "spec.port in body should be less than or equal to 65535"),
    "minReplicas above maxReplicas": (
        "bad",
        {"replicas": MISSING, "autoscaling": {"minReplicas": 5, "maxReplicas": 2}},
        "lower minReplicas or raise maxReplicas",
    ),
    "unknown strategy": ("bad", {"rollout": {"strategy": "Rolling"}}, "supported values:"),
    "negative delay": (
        "bad",
        {"rollout": {"blueGreen": {"scaleDownDelaySeconds": -1}}},
        "scaleDownDelaySeconds in body should be greater than or equal to 0",
    ),
    "malformed probe": (
        "bad",
        {"probes": {"readiness": {"periodSeconds": 2}}},
        "a probe needs exactly one of httpGet, tcpSocket, exec and grpc",
    ),
    "name too long for its children": ("b" * 41, {}, "metadata.name is longer than 40 characters"),
}

UNKNOWN_CONFIG = {"config": [{"name": "settings", "configMapRef": {"name": "nowhere"}}]}
UNPULLABLE = {"image": "docker.io/local/absent:1", "rollout": {"progressDeadlineSeconds": 20}}
ACCEPTED: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "unknown ConfigMap": (
        UNKNOWN_CONFIG,
        "ConfigMap 'nowhere' named in spec.config (settings) does not exist in namespace {}: create it or correct",
        set(),
    ),
    "unpullable image": (
        UNPULLABLE,
        "image docker.io/local/absent:1 {}: check the image name, its tag and imagePullSecrets",
        {"Deployment", "Service", "ControllerRevision", "PodDisruptionBudget"},
    ),
}
"""What is wrong, what is said of it ({} stands for what is not ours to choose), which kinds are there: all or none."""


def named(name: str) -> str:
    return name.lower().replace(" ", "-")


def spec_of(changes: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in changes.items() if value is not MISSING}


def manifest(live: Live, name: str, changes: dict[str, Any]) -> dict[str, Any]:
    made = an_echo(live.stage, name, **spec_of(changes))
    for field in [field for field, value in changes.items() if value is MISSING]:
        made["spec"].pop(field, None)
    return made


def children(live: Live, name: str) -> list[dict[str, Any]]:
    return live.list(OWNED, "-l", f"taskservice.dev/name={name}")


@pytest.fixture(scope="module")
def good(live: Live) -> str:
    """One that runs, beside which everything goes wrong."""
    live.apply(an_echo(live.stage, "good", replicas=1))
    live.wait_ready("good")
    return "good"


@pytest.fixture(autouse=True)
def undisturbed(live: Live, good: str) -> Any:
    """The operator's pods are the same ones, never restarted; so are the pods of what runs well."""
    before, pods = restarts(live), live.pod_uids(good, live.active(good))
    yield
    assert restarts(live) == before
    assert live.pod_uids(good, live.active(good)) == pods
    assert live.condition(good, "Ready")["status"] == "True"


@pytest.mark.parametrize(("name", "changes", "sentence"), REFUSED.values(), ids=[*map(named, REFUSED)])
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_leaves_nothing(
    live: Live, name: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LocalError) as refused:
        # Without kubectl's own opinion: whatever sends it, the API server refuses it.
        live.kubectl("apply", "--validate=false", "-f", "-", input=json.dumps(manifest(live, name, changes)))
    assert sentence in str(refused.value)
    assert live.tsvc(name) == {}
    assert children(live, name) == []


@pytest.mark.parametrize(
    ("what", "changes", "sentence", "kinds"),
    [(named(what), *rest) for what, rest in ACCEPTED.items()],
    ids=[*map(named, ACCEPTED)],
)
def test_what_cannot_work_yet_is_told_in_a_condition_and_done_whole_or_not_at_all(
    live: Live, what: str, changes: dict[str, Any], sentence: str, kinds: set[str]
) -> None:
    wait_for("others to be done", lambda: is_calm(live), 120)
    live.apply(manifest(live, what, changes))
    before, _, after = sentence.partition("{}")

    def told(found: dict[str, Any]) -> bool:
        message = ready_of(found).get("message", "")
        return before in message and after in message and ready_of(found)["status"] != "True"

    live.wait(what, "told", told, 60)
    assert {child["kind"] for child in children(live, what)} == kinds
    assert_calm(live)
    live.wait(what, "still told", told, 30)
    assert {child["kind"] for child in children(live, what)} == kinds


@pytest.mark.parametrize("wrong", [UNKNOWN_CONFIG, UNPULLABLE], ids=[*map(named, ACCEPTED)])
def test_a_wrong_change_leaves_what_runs_and_is_taken_back_by_the_next(live: Live, wrong: dict[str, Any]) -> None:
    name = f"changed-{'config' if 'config' in wrong else 'image'}"
    live.apply(an_echo(live.stage, name, replicas=1))
    live.wait_ready(name)
    stable = live.active(name)
    pods = live.pod_uids(name, stable)
    live.apply(manifest(live, name, {"replicas": 1, **wrong}))
    live.wait(name, "not Ready", lambda found: ready_of(found)["status"] != "True")
    assert (live.active(name), live.pod_uids(name, stable)) == (stable, pods)
    assert live.condition(name, "Available")["status"] == "True"
    live.apply(an_echo(live.stage, name, replicas=1))
    live.wait_ready(name)
    assert (live.active(name), live.pod_uids(name, stable)) == (stable, pods)


def ready_of(found: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in found["status"].get("conditions", []) if each["type"] == "Ready"), {})


def is_calm(live: Live) -> bool:
    """Whether nothing is written for a while: what earlier tests left may still be going away."""
    writes = count_writes(live)
    time.sleep(3)
    return count_writes(live) == writes


def assert_calm(live: Live) -> None:
    passes, writes = count_passes(live), count_writes(live)
    time.sleep(WINDOW_SECONDS)
    assert count_passes(live) - passes < MOST_PASSES
    assert count_writes(live) - writes < MOST_WRITES
