"""What people read: why pods are not ready, and the conditions."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api.status import Failure, Phase, Rollout, Size
from taskservice_operator.core.conditions import build_conditions, current
from taskservice_operator.core.trouble import diagnose
from testkit.builders import a_snapshot, a_taskservice, at

ONE, TWO = a_taskservice().image("app:1").replicas(4), a_taskservice().image("app:2").replicas(4)
R1, R2 = ONE.revision(), TWO.revision()
REFUSED_CONFIG = (
    'container app: CreateContainerConfigError (secret "x" not found): '
    "check env references, and that the image runs as a non-root user"
)
LIVE: dict[str, Any] = {"stable": R1, "active": R1, "wanted": R1, "size": Size(4, 4)}


def pod(**container: Any) -> dict[str, Any]:
    status = {"name": "app", "image": "app:9", "ready": False, "restartCount": 0, **container}
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "secret details"}}},
            "container app: image app:9 ImagePullBackOff: check the image name, its tag and imagePullSecrets",
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 3}},
                "restartCount": 7,
            },
            "container app keeps ending (exit code 3): see the container's log",
        ),
        (
            {"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}, "restartCount": 1},
            "container app keeps ending (out of memory): see the container's log",
        ),
        (
            {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}}},
            REFUSED_CONFIG,
        ),
    ],
)
def test_trouble_says_what_to_do(container: dict[str, Any], said: str) -> None:
    note = diagnose(None, [pod(**container)])
    assert note is not None
    assert note.message == said


@pytest.mark.parametrize(
    "container",
    [
        {"state": {"running": {}}},
        {"state": {"waiting": {"reason": "ContainerCreating"}}},
        {"state": {"running": {}}, "ready": True, "restartCount": 3, "lastState": {"terminated": {"exitCode": 1}}},
    ],
)
def test_starting_and_recovered_containers_are_no_trouble(container: dict[str, Any]) -> None:
    assert diagnose(None, [pod(**container)]) is None


@pytest.mark.parametrize("state", [{"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}])
@pytest.mark.parametrize("restarts", [2, 3, 40])
def test_trouble_does_not_change_while_it_lasts(state: Any, restarts: int) -> None:
    ended = {"terminated": {"exitCode": 1}}
    note = diagnose(None, [pod(state=state, restartCount=restarts, lastState=ended)])
    assert note is not None
    assert note.message == "container app keeps ending (exit code 1): see the container's log"


def test_a_pod_that_fits_nowhere() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: insufficient cpu"}
    note = diagnose(None, [{"metadata": {"name": "web-1"}, "status": {"conditions": [condition]}}])
    assert note is not None
    assert note.reason == "Unschedulable"


def test_pods_that_cannot_be_created() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    note = diagnose({"status": {"conditions": [condition]}}, [])
    assert note is not None
    assert note.message == "exceeded quota"


# -- conditions ----------------------------------------------------------------------------------------------------


def conditions(v: Any) -> dict[str, str]:
    note, _ = current(v)
    return {c["type"]: c["status"] for c in build_conditions(v, note)}


def test_live_and_whole_is_ready() -> None:
    v = a_snapshot(ONE).blue(ready=4).live(ONE).view(**LIVE)
    assert conditions(v) == {
        "Ready": "True",
        "Available": "True",
        "Progressing": "False",
        "Degraded": "False",
        "Reconciling": "False",
        "Stalled": "False",
    }


@pytest.mark.parametrize(("ready", "expected"), [(4, "True"), (3, "True"), (2, "False"), (0, "False")])
def test_as_many_may_be_missing_as_a_disruption_budget_allows(ready: int, expected: str) -> None:
    v = a_snapshot(ONE).blue(ready=ready, replicas=4).live(ONE).view(**LIVE)
    assert conditions(v)["Ready"] == expected
    assert conditions(v)["Available"] == expected


def test_growth_of_an_autoscaler_is_not_a_loss() -> None:
    spec = ONE.autoscaled(2, 10)
    live = {**LIVE, "stable": spec.revision(), "active": spec.revision()}
    v = a_snapshot(spec).blue(ready=2, replicas=9).live(spec).view(**live)
    assert conditions(v)["Ready"] == "True"


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.VERIFYING, Phase.PRESCALING, Phase.PROMOTING, Phase.RETURNING])
def test_under_way_is_progressing_not_ready_and_still_available(phase: Phase) -> None:
    rollout = Rollout(at(0), verified_since=at(0))
    v = a_snapshot(TWO).blue(ONE, ready=4).green(TWO, ready=1).live(ONE)
    seen = conditions(v.view(**{**LIVE, "phase": phase, "candidate": R2, "rollout": rollout}))
    assert (seen["Ready"], seen["Progressing"], seen["Available"]) == ("Unknown", "True", "True")
    assert (seen["Reconciling"], seen["Stalled"]) == ("True", "False")


def test_a_return_that_nobody_could_serve_is_stalled_and_names_the_stable_side() -> None:
    status = {**LIVE, "phase": Phase.RETURNING, "active": R2, "candidate": R2, "rollout": Rollout(at(0))}
    v = a_snapshot(TWO).blue(ONE, ready=0, replicas=4).green(TWO, ready=4).live(TWO).view(**status)
    seen = conditions(v)
    assert (seen["Ready"], seen["Degraded"], seen["Stalled"], seen["Available"]) == ("False", "True", "True", "True")
    note, blocked = current(v)
    assert (
        note.message == f"live traffic returns to revision {R1} as soon as it has a ready pod; until then {R2} serves"
    )
    assert blocked is not None
    assert (blocked.kind, blocked.name) == ("Deployment", f"web-{R1}")


def test_failed_is_stalled_with_the_old_side_available() -> None:
    failure = Failure(R2, "AbortRequested", "was aborted", at(0))
    v = a_snapshot(TWO).blue(ONE, ready=4).live(ONE).view(**{**LIVE, "phase": Phase.FAILED, "failure": failure})
    seen = conditions(v)
    assert (seen["Ready"], seen["Degraded"], seen["Stalled"], seen["Available"]) == ("False", "True", "True", "True")
    assert current(v)[0].message.endswith("ask for it again with: kubectl taskservice retry web")


def test_a_missing_source_names_the_object_while_the_old_side_serves() -> None:
    spec = TWO.config_from("settings")
    v = a_snapshot(spec).blue(ONE, ready=4).live(ONE).source("ConfigMap", "settings", None).view(**LIVE)
    note, blocked = current(v)
    assert blocked is not None
    assert (blocked.kind, blocked.name, note.reason) == ("ConfigMap", "settings", "SourceMissing")
    assert (conditions(v)["Ready"], conditions(v)["Available"]) == ("False", "True")


def test_a_transition_time_changes_with_its_status_only() -> None:
    snapshot = a_snapshot(ONE).blue(ready=4).live(ONE)
    first = build_conditions(snapshot.view(0, **LIVE), current(snapshot.view(0, **LIVE))[0])
    later = snapshot.view(90, **LIVE, conditions=first)
    again = build_conditions(later, current(later)[0])
    assert {c["lastTransitionTime"] for c in again} == {"2026-01-01T12:00:00Z"}
    lost = a_snapshot(ONE).blue(ready=0, replicas=4).live(ONE).view(90, **LIVE, conditions=first)
    changed = {
        c["type"] for c in build_conditions(lost, current(lost)[0]) if c["lastTransitionTime"] > "2026-01-01T12:00:00Z"
    }
    assert changed == {"Ready", "Available", "Degraded", "Reconciling"}


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        (TWO.promoted_by_hand(), {}, f"revision {R2} waits for: kubectl taskservice promote web"),
        (TWO.blue_green(autoPromotionSeconds=90), {}, f"revision {R2} is promoted at 2026-01-01T12:01:30Z"),
        (TWO.paused(), {}, f"revision {R2} waits because spec.paused is true"),
    ],
)
def test_verifying_says_what_it_waits_for(spec: Any, status: Any, said: str) -> None:
    rollout = Rollout(at(0), verified_since=at(0))
    snapshot = a_snapshot(spec).blue(ONE, ready=4).green(TWO, ready=4).live(ONE)
    v = snapshot.view(**{**LIVE, "phase": Phase.VERIFYING, "candidate": R2, "rollout": rollout, **status})
    assert current(v)[0].message == said
