"""From nothing to running, and back: on the real engine, provider and cluster, with real pods."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from taskservice_local.built import BuiltCluster


def test_a_wrong_setting_is_refused_before_there_is_a_cluster(untouched) -> None:
    wrong = replace(untouched, settings=_with(untouched, "data:mongodb", {"provider": "dev", "replicas": 2}))
    done = wrong.run("up")
    assert done.returncode == 1
    assert "error: Pulumi.local.yaml: data:mongodb.replicas: 2 members cannot lose one" in done.stderr
    assert "Traceback" not in done.stderr
    assert not BuiltCluster(untouched.paths).exists()


def test_a_run_that_was_killed_leaves_a_lock_and_unfinished_operations(broken) -> None:
    locks = list((broken.state / "backend" / ".pulumi" / "locks" / "organization" / "data").rglob("*.json"))
    state = json.loads((broken.state / "backend/.pulumi/stacks/data/local.json").read_text())
    assert locks
    assert state["checkpoint"]["latest"]["pending_operations"]


def test_the_next_run_completes_it_with_real_pods(platform) -> None:
    pods = {
        f"{namespace}/{pod['metadata']['name']}": pod["status"]
        for namespace in ("data", "apps", "taskservice-system")
        for pod in platform.items("pods", "-n", namespace)
        if pod["status"]["phase"] != "Succeeded"
    }
    assert {f"data/mongodb-{member}" for member in range(3)} | {"data/redis-0", "data/rabbitmq-0"} <= set(pods)
    ready = {
        name: any(each["type"] == "Ready" and each["status"] == "True" for each in status["conditions"])
        for name, status in pods.items()
    }
    assert all(ready.values()), ready
    services = platform.items("taskservices.taskservice.dev", "-n", "apps")
    assert {service["metadata"]["name"] for service in services} == {"auth", "tasks", "worker"}
    for service in services:
        assert any(c["type"] == "Ready" and c["status"] == "True" for c in service["status"]["conditions"]), service


def test_a_second_run_changes_nothing(platform) -> None:
    before = platform.generations()
    told = platform.ok("up", *platform.projects)
    for word in ("created", "changed", "deleted", "replaced"):
        assert f" {word}" not in told, told
    assert "unchanged" in told
    assert platform.generations() == before


def test_a_changed_setting_touches_only_what_it_is_about(platform) -> None:
    before = platform.generations()
    platform.set("data", "redis", maxMemory="48mb")
    told = platform.ok("up", "data")
    assert "1 changed" in told, told
    after = platform.generations()
    assert {name for name in before if before[name] != after.get(name)} == {"data/StatefulSet/redis"}
    assert set(after) == set(before)


def test_a_deleted_object_is_seen_and_comes_back(platform) -> None:
    platform.kubectl("delete", "service", "redis", "-n", "data")
    platform.kubectl("delete", "deployment", "taskservice-operator", "-n", "taskservice-system")
    told = platform.ok("preview", *platform.projects)
    assert "creating Service redis" in told, told
    assert "taskservice-operator" in told, told
    platform.ok("up", *platform.projects)
    assert platform.exists("data", "service", "redis")
    assert platform.exists("taskservice-system", "deployment", "taskservice-operator")


def test_a_lost_secret_comes_back_with_the_password_that_the_database_knows(platform) -> None:
    before = platform.secrets("data")
    platform.kubectl("delete", "secret", "mongodb-admin", "-n", "data")
    platform.ok("up", "data")
    assert platform.secrets("data") == before


def test_no_file_of_the_state_and_no_output_holds_a_secret_in_plain_text(platform) -> None:
    held = {
        place: value
        for place, value in platform.secrets("data", "apps").items()
        if len(value) >= 16 and not value.startswith(("[{", "eyJ"))
    }
    # The address of the database holds its password, the list of users all of them: look for the parts.
    assert any("TASKSERVICE_MONGO_URL" in place for place in held)
    assert any("password" in place for place in held)
    passwords = {value for place, value in held.items() if place.endswith("password")}
    needles = {*held.values(), *passwords}
    needles |= {base64.b64encode(needle.encode()).decode() for needle in needles}
    told = platform.run("status", *platform.projects).stdout + platform.run("preview", *platform.projects).stderr
    files = [file for file in platform.state.rglob("*") if file.is_file()]
    assert any(file.name == "local.json" for file in files)
    for needle in needles:
        assert needle not in told
        for file in files:
            assert needle.encode() not in file.read_bytes(), file


def test_another_clusters_context_is_refused_by_the_stacks_key(platform) -> None:
    before = platform.generations()
    kubernetes = {"provider": "existing", "context": "production", "kubeconfig": str(platform.paths.kubeconfig)}
    done = replace(platform, settings=_with(platform, "cluster:kubernetes", kubernetes)).run("up")
    assert done.returncode == 1
    assert "error: Pulumi.local.yaml: cluster:kubernetes.context: expected the context 'production'" in done.stderr
    assert platform.generations() == before


def test_status_names_every_project(platform) -> None:
    told = platform.run("status", *platform.projects).stdout.splitlines()
    assert tuple(line.split(":")[0] for line in told) == platform.projects
    assert all("succeeded" in line for line in told), told


@pytest.mark.usefixtures("platform")
def test_down_leaves_nothing(untouched) -> None:
    """The last: it ends what the others stand on."""
    told = untouched.ok("down")
    assert "is gone" in told
    assert not BuiltCluster(untouched.paths).exists()
    assert not untouched.state.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in processes.splitlines() if str(untouched.paths.state) in line]


def _with(platform, key: str, value: dict[str, object]) -> Path:
    """A copy of the stack files in which one setting is another."""
    project = key.split(":")[0]
    copy = platform.settings.parent / f"{platform.settings.name}-{project}"
    shutil.copytree(platform.settings, copy, dirs_exist_ok=True)
    file = copy / project / "Pulumi.local.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"][key] = value
    file.write_text(yaml.safe_dump(content))
    return copy
