"""The doors that people and their tools use: kubectl wait, get, explain, Helm --wait, kubectl taskservice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from taskservice_local.errors import LocalError
from testkit.live import Live, an_echo


def test_kubectl_wait_and_get_tell_when_it_is_ready(live: Live) -> None:
    live.apply(an_echo(live.stage, "door"))
    live.kubectl("wait", "--for=condition=Ready", "tsvc/door", "--timeout=90s")
    table = live.kubectl("get", "tsvc", "door")
    assert live.active("door") in table
    assert "True" in table


def test_events_tell_of_changes_once(live: Live) -> None:
    reasons = [
        event["reason"]
        for event in live.list("events", "--field-selector=involvedObject.kind=TaskService,involvedObject.name=door")
    ]
    assert "Promoted" in reasons
    assert len(reasons) == len(set(reasons)), reasons


def test_helm_waits_for_a_chart_that_holds_a_taskservice(live: Live, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: echo\nversion: 1.0.0\n")
    (chart / "templates" / "echo.yaml").write_text(yaml.safe_dump(an_echo(live.stage, "charted")))
    live.stage.helm("upgrade", "--install", "echo", str(chart), "-n", live.namespace, "--wait", "--timeout", "90s")
    assert live.condition("charted", "Ready")["status"] == "True"


def test_the_plugin_shows_revisions_as_a_tree_and_steers(live: Live) -> None:
    live.change(
        "door", env=[{"name": "ECHO_GREETING", "value": "two"}], rollout={"blueGreen": {"autoPromotion": False}}
    )
    found = live.wait("door", "verifying", lambda f: f["status"]["phase"] == "Verifying")
    active, candidate = (found["status"]["revisions"][role] for role in ("active", "candidate"))
    tree = live.plugin("get", "door")
    assert active in tree
    assert candidate in tree
    assert "blue" in tree
    assert "green" in tree
    assert json.loads(live.plugin("get", "door", "-o", "json"))
    live.plugin("promote", "door")
    live.wait("door", "promoted", lambda f: f["status"]["revisions"]["active"] == candidate)
    live.wait_ready("door")
    assert candidate in live.plugin("history", "door")
    with pytest.raises(LocalError, match="retry"):
        live.plugin("retry", "door")
    with pytest.raises(LocalError, match="nosuch"):
        live.plugin("promote", "nosuch")


def test_paused_halts_the_switch_and_resumes(live: Live) -> None:
    live.wait_ready("door")
    active = live.active("door")
    live.change("door", paused=True, env=[{"name": "ECHO_GREETING", "value": "three"}])
    live.wait("door", "paused", lambda f: f["status"].get("blockedOn", {}).get("reason") == "Paused")
    assert live.active("door") == active
    live.change("door", paused=False, rollout={"blueGreen": {"autoPromotion": True}})
    live.wait("door", "released", lambda f: f["status"]["revisions"]["active"] != active)
    live.wait_ready("door")


def test_a_new_change_supersedes_the_candidate_and_never_the_live_side(live: Live) -> None:
    live.wait_ready("door")
    active, pods = live.active("door"), live.pod_uids("door", live.active("door"))
    live.change("door", env=[{"name": "ECHO_CRASH", "value": "yes"}])
    live.wait("door", "staging", lambda f: f["status"]["phase"] == "Staging")
    live.change("door", env=[{"name": "ECHO_GREETING", "value": "four"}])
    assert live.pod_uids("door", active) == pods
    live.wait_ready("door")
    assert live.answers("door", ECHO_GREETING="four")
    assert "Superseded" in [entry["result"] for entry in live.status("door")["history"]]
