"""A release that goes wrong costs nobody anything: the live side is not touched, and the reason is said."""

from __future__ import annotations

import pytest

from taskservice_local.errors import LocalError
from testkit.live import Live, an_echo

CHECK = {"name": "check", "provider": "http", "intervalSeconds": 1, "http": {"path": "/check", "requests": 3}}


def quick(**more: object) -> dict[str, object]:
    return {"progressDeadlineSeconds": 25, "abortScaleDownDelaySeconds": 1, **more}


def test_a_crash_looping_candidate_is_aborted_and_the_live_pods_are_the_same_ones(live: Live) -> None:
    live.apply(an_echo(live.stage, "crash", rollout=quick()))
    live.wait_ready("crash")
    stable = live.active("crash")
    before = live.pod_uids("crash", stable)

    live.change("crash", env=[{"name": "ECHO_CRASH", "value": "yes"}])
    found = live.wait_phase("crash", "Failed")

    failure = found["status"]["failure"]
    assert failure["reason"] == "ProgressDeadlineExceeded"
    assert "exit code 1" in failure["message"], failure["message"]
    assert live.active("crash") == stable
    assert live.pod_uids("crash", stable) == before
    assert live.condition("crash", "Available")["status"] == "True"
    assert live.condition("crash", "Stalled")["status"] == "True"
    assert live.answers("crash", TASKSERVICE_REVISION=stable)


def test_a_failed_revision_is_tried_again_only_on_request(live: Live) -> None:
    failed = live.status("crash")["failure"]["revision"]
    live.plugin("retry", "crash")
    found = live.wait("crash", "retried", lambda f: f["status"]["revisions"].get("candidate") == failed)
    assert "failure" not in found["status"]
    live.wait_phase("crash", "Failed")


def test_a_failed_smoke_test_stops_the_release_before_any_user_sees_it(live: Live) -> None:
    live.apply(an_echo(live.stage, "smoke", rollout=quick(analysis={"prePromotion": [CHECK]})))
    live.wait_ready("smoke")
    stable = live.active("smoke")
    live.change("smoke", env=[{"name": "ECHO_STATUS", "value": "500"}])
    found = live.wait_phase("smoke", "Failed")
    assert found["status"]["failure"]["reason"] == "PrePromotionAnalysisFailed"
    assert "500" in found["status"]["failure"]["message"]
    assert live.active("smoke") == stable


def test_a_failed_post_promotion_analysis_switches_back(live: Live) -> None:
    live.apply(an_echo(live.stage, "proof", rollout=quick(analysis={"postPromotion": [CHECK]})))
    live.wait_ready("proof")
    stable = live.active("proof")
    before = live.pod_uids("proof", stable)
    live.change("proof", env=[{"name": "ECHO_STATUS", "value": "500"}])
    found = live.wait_phase("proof", "Failed")
    assert found["status"]["failure"]["reason"] == "PostPromotionAnalysisFailed"
    assert live.active("proof") == stable
    assert live.pod_uids("proof", stable) == before
    assert live.answers("proof", TASKSERVICE_REVISION=stable)


def test_an_abort_by_hand_leaves_the_live_side_and_another_verb_is_refused_with_a_sentence(live: Live) -> None:
    live.apply(an_echo(live.stage, "hand", rollout={"blueGreen": {"autoPromotion": False}}))
    live.wait_ready("hand")
    stable = live.active("hand")
    live.change("hand", env=[{"name": "ECHO_GREETING", "value": "two"}])
    live.wait("hand", "verifying", lambda f: f["status"]["phase"] == "Verifying")
    live.plugin("abort", "hand")
    found = live.wait_phase("hand", "Failed")
    assert found["status"]["failure"]["reason"] == "AbortRequested"
    assert live.active("hand") == stable
    with pytest.raises(LocalError, match="promote"):
        live.plugin("promote", "hand")


def test_an_unpullable_image_is_named_in_a_condition(live: Live) -> None:
    live.apply(an_echo(live.stage, "pull", image="docker.io/local/absent:1", rollout=quick()))
    found = live.wait_phase("pull", "Failed")
    assert "docker.io/local/absent:1" in found["status"]["failure"]["message"]
