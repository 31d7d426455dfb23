"""The platform once it is up: whole, unchanged by another run, mended, and silent about its secrets."""

from __future__ import annotations

import base64
from dataclasses import replace


def test_the_next_run_completes_it_with_real_pods(platform) -> None:
    pods = {
        f"{namespace}/{pod['metadata']['name']}": pod["status"]
        for namespace in platform.namespaces
        for pod in platform.items("pods", "-n", namespace)
        if pod["status"]["phase"] != "Succeeded"
    }
    members = {f"data/mongodb-{member}" for member in range(3)}
    observing = {f"observability/{each}-0" for each in ("prometheus", "alertmanager", "loki", "jaeger")}
    assert members | observing | {"data/redis-0", "data/rabbitmq-0", "secrets/vault-0"} <= set(pods)
    assert {pod.split("/")[0] for pod in pods} == set(platform.namespaces)
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
    told = platform.ok("preview", "data", "apps")
    assert "creating Service redis" in told, told
    assert "taskservice-operator" in told, told
    platform.ok("up", "data", "apps")
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
        for place, value in platform.secrets("secrets", "data", "apps").items()
        if len(value) >= 16 and not value.startswith(("[{", "eyJ"))
    }
    # The address of the database holds its password, the list of users all of them: look for the parts.
    assert any("TASKSERVICE_MONGO_URL" in place for place in held)
    assert any("password" in place for place in held)
    assert any("JWT_PRIVATE_KEY" in place for place in held)
    assert "secrets/vault-keys/shares" in held
    passwords = {value for place, value in held.items() if place.endswith("password")}
    # A line of a key stands for the key: line ends are written in more than one way.
    needles = {max(value.splitlines(), key=len) for value in held.values()} | passwords
    needles |= {base64.b64encode(needle.encode()).decode() for needle in needles}
    told = platform.run("status", *platform.projects).stdout + platform.run("preview", "secrets", "data", "apps").stderr
    files = [file for file in platform.state.rglob("*") if file.is_file()]
    assert any(file.name == "local.json" for file in files)
    for needle in needles:
        assert needle not in told
        for file in files:
            assert needle.encode() not in file.read_bytes(), file


def test_another_clusters_context_is_refused_by_the_stacks_key(platform) -> None:
    before = platform.generations()
    kubernetes = {"provider": "existing", "context": "production", "kubeconfig": str(platform.paths.kubeconfig)}
    done = replace(platform, settings=platform.with_setting("cluster:kubernetes", kubernetes)).run("up")
    assert done.returncode == 1
    assert "error: Pulumi.local.yaml: cluster:kubernetes.context: expected the context 'production'" in done.stderr
    assert platform.generations() == before


def test_status_names_every_project(platform) -> None:
    told = platform.run("status", *platform.projects).stdout.splitlines()
    assert tuple(line.split(":")[0] for line in told) == platform.projects
    assert all("succeeded" in line for line in told), told
