"""What there is before anything is up: refusals, and a run that is killed half way."""

from __future__ import annotations

import json
from dataclasses import replace

from taskservice_local.built import BuiltCluster


def test_a_wrong_setting_is_refused_before_there_is_a_cluster(untouched) -> None:
    wrong = replace(untouched, settings=untouched.with_setting("data:mongodb", {"provider": "dev", "replicas": 2}))
    done = wrong.run("up")
    assert done.returncode == 1
    assert "error: Pulumi.local.yaml: data:mongodb.replicas: 2 members cannot lose one" in done.stderr
    assert "Traceback" not in done.stderr
    assert not BuiltCluster(untouched.paths).exists()


def test_a_setting_that_takes_what_another_project_makes_is_refused_while_that_is_not_up(untouched) -> None:
    done = untouched.run("up", "cluster", "data", "apps")
    assert done.returncode == 1
    assert "error: Pulumi.local.yaml: apps:vault: takes what project secrets makes, which is not up" in done.stderr
    assert "Pulumi.local.yaml: apps:traces: takes what project observability makes" in done.stderr
    assert not BuiltCluster(untouched.paths).exists()


def test_a_run_that_was_killed_leaves_a_lock_and_unfinished_operations(broken) -> None:
    locks = list((broken.state / "backend" / ".pulumi" / "locks" / "organization" / "data").rglob("*.json"))
    state = json.loads((broken.state / "backend/.pulumi/stacks/data/local.json").read_text())
    assert locks
    assert state["checkpoint"]["latest"]["pending_operations"]
