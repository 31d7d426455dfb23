"""What we own comes back when it is deleted or edited; what is not ours is left alone."""

from __future__ import annotations

import json
import time

from testkit.live import TSVC, Live, an_echo


def eventually(what: str, seconds: float, holds) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.2)


def test_deleted_objects_come_back(live: Live) -> None:
    live.apply(an_echo(live.stage, "own"))
    live.wait_ready("own")
    revision = live.active("own")
    for kind, name in (
        ("service", "own"),
        ("service", "own-preview"),
        ("deployment", f"own-{revision}"),
        ("controllerrevision", f"own-{revision}"),
        ("poddisruptionbudget", "own"),
    ):
        before = (live.get(kind, name) or {})["metadata"]["uid"]
        live.kubectl("delete", kind, name, "--wait=false")
        eventually(
            f"{kind} {name} is back",
            30,
            lambda kind=kind, name=name, before=before: (
                (live.get(kind, name) or {"metadata": {}})["metadata"].get("uid") not in (None, before)
            ),
        )
    live.wait_ready("own")


def test_edits_by_hand_are_undone(live: Live) -> None:
    revision = live.active("own")
    live.kubectl("scale", "deployment", f"own-{revision}", "--replicas=5")
    eventually(
        "the deployment has 2 replicas again",
        30,
        lambda: live.get("deployment", f"own-{revision}")["spec"]["replicas"] == 2,  # type: ignore[index]
    )
    wrong = {"spec": {"selector": {"taskservice.dev/revision": "somewhere-else"}}}
    live.kubectl("patch", "service", "own", "--type=merge", "-p", json.dumps(wrong))
    eventually(
        "the live Service selects the active revision again",
        30,
        lambda: live.get("service", "own")["spec"]["selector"]["taskservice.dev/revision"] == revision,  # type: ignore[index]
    )


def test_a_foreign_object_in_the_way_is_named_and_left_alone(live: Live) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken", "labels": {"of": "somebody-else"}},
        "spec": {"ports": [{"port": 80}], "selector": {"of": "somebody-else"}},
    }
    live.apply(foreign)
    before = live.get("service", "taken")
    live.apply(an_echo(live.stage, "taken"))
    found = live.wait("taken", "blocked", lambda f: f["status"].get("blockedOn", {}).get("kind") == "Service")
    assert found["status"]["blockedOn"]["name"] == "taken"
    assert live.condition("taken", "Ready")["reason"] == "NameCollision"
    eventually(
        "nothing half-made is left", 20, lambda: not live.list("deployments", "-l", "taskservice.dev/name=taken")
    )
    assert live.get("service", "taken") == before

    live.kubectl("delete", "service", "taken")
    live.wait_ready("taken", 120)


def test_deleting_a_taskservice_removes_all_it_owned_and_nothing_else(live: Live) -> None:
    bystander = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own-bystander"}, "data": {"a": "b"}}
    live.apply(bystander)
    live.kubectl("delete", TSVC, "own", "--wait=true")
    for kind in ("deployments", "services", "controllerrevisions", "poddisruptionbudgets", "configmaps", "pods"):
        eventually(f"no {kind}", 90, lambda kind=kind: live.list(kind, "-l", "taskservice.dev/name=own") == [])
    assert live.get("configmap", "own-bystander") is not None
