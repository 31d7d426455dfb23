"""The sample's chart as Helm renders it: restricted pods, a database that a release leaves alone, kept secrets."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from testkit.mongod import PartUnavailable, ReplicaSet, cache_root

CHART = Path(__file__).parents[3] / "charts" / "taskservice-app"
SECRETS = {
    "taskservice-jwt",
    "taskservice-directory",
    "mongo-admin",
    "taskservice-mongo",
    "redis-admin",
    "taskservice-redis",
    "rabbitmq-admin",
    "taskservice-rabbitmq",
}

Documents = list[dict[str, Any]]
Render = Callable[..., Documents]


@pytest.fixture(scope="session")
def helm() -> str:
    built = sorted((cache_root() / "parts" / "helm").glob("v4*/bin/helm"))
    found = shutil.which("helm") or (str(built[-1]) if built else None)
    if found is None:
        pytest.skip("helm is neither installed nor built: make cluster builds it")
    return found


@pytest.fixture
def render(helm: str) -> Render:
    def run(*arguments: str) -> Documents:
        command = [helm, "template", "sample", str(CHART), "--namespace", "demo", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise ValueError(done.stderr)
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return run


def named(documents: Documents, kind: str, prefix: str = "") -> dict[str, Any]:
    (found,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"].startswith(prefix)]
    return found


def pods(documents: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    for document in documents:
        if document["kind"] in ("StatefulSet", "Job", "Deployment"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def test_every_pod_is_restricted(render: Render) -> None:
    seen = set()
    for name, pod in pods(render()):
        seen.add(name.rsplit("-", 1)[0] if name.startswith("mongo-init") else name)
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
    assert seen == {"mongo", "mongo-init", "redis", "rabbitmq"}


def test_a_release_of_the_services_restarts_neither_database_nor_cache_nor_broker(render: Render) -> None:
    one, two = render("--set=image=a:1"), render("--set=image=a:2,tasks.config.X=y,worker.config.X=y")
    for name in ("mongo", "redis", "rabbitmq"):
        assert named(one, "StatefulSet", name) == named(two, "StatefulSet", name)
    # A Job cannot be changed: another image must be another Job.
    jobs = [named(documents, "Job")["metadata"]["name"] for documents in (one, two)]
    assert jobs[0] != jobs[1]


def test_both_services_run_the_image_with_their_own_settings(render: Render) -> None:
    documents = render("--set=image=a:1,version=v2,auth.config.A=1x,tasks.config.TASKSERVICE_VERSION=v3")
    auth, tasks = (named(documents, "TaskService", name)["spec"] for name in ("auth", "tasks"))
    assert (auth["image"], auth["args"], tasks["image"], tasks["args"]) == ("a:1", ["auth"], "a:1", ["tasks"])
    settings = [spec["config"][0]["data"] for spec in (auth, tasks)]
    assert settings[0]["TASKSERVICE_VERSION"] == "v2"
    assert settings[0]["A"] == "1x"
    assert settings[1]["TASKSERVICE_VERSION"] == "v3"
    assert "A" not in settings[1]
    secrets = [{entry["name"] for entry in spec["secrets"]} for spec in (auth, tasks)]
    assert secrets == [
        {"mongo", "redis", "directory", "jwt"},
        {"mongo", "redis", "directory"},
    ]  # only auth holds the signing key


def test_tasks_asks_auth_for_users_where_auth_answers(render: Render) -> None:
    auth, tasks = (named(render(), "TaskService", name)["spec"] for name in ("auth", "tasks"))
    settings = tasks["config"][0]["data"]
    ports = {entry["name"]: entry["port"] for entry in auth["ports"]}
    assert settings["TASKSERVICE_DIRECTORY_GRPC"] == f"auth:{ports['grpc']}"
    assert settings["TASKSERVICE_DIRECTORY_HTTP_URL"] == f"http://auth:{ports['management']}"
    assert ports["management"] == auth["managementPort"]


def test_secrets_are_fresh_for_each_installation(render: Render) -> None:
    first, second = ([d for d in render() if d["kind"] == "Secret"] for _ in range(2))
    assert {d["metadata"]["name"] for d in first} == SECRETS
    for one, two in zip(first, second, strict=True):
        assert all(one["data"][key] != two["data"][key] for key in one["data"])


def test_external_database_cache_and_broker(render: Render) -> None:
    documents = render("--values", str(CHART / "ci" / "external-values.yaml"))
    assert {d["kind"] for d in documents} == {"Secret", "TaskService"}
    spec = named(documents, "TaskService", "tasks")["spec"]
    assert [entry["secretRef"]["name"] for entry in spec["secrets"]] == [
        "my-mongo",
        "my-redis",
        "taskservice-directory",
    ]
    assert "replicas" not in spec
    worker = named(documents, "TaskService", "worker")["spec"]
    assert [entry["secretRef"]["name"] for entry in worker["secrets"]] == ["my-mongo", "my-bus"]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("mongo.enabled=false", "mongo.externalUrlSecret"),
        ("mongo.nonsense=1", "nonsense"),
        ("rabbitmq.enabled=false", "rabbitmq.externalUrlSecret"),
        ("rabbitmq.maxMemory=lots", "maxMemory"),
        ("image=", "image"),
        ("tasks.replicas=-1", "replicas"),
    ],
)
def test_wrong_values_are_refused_by_name(argument: str, sentence: str, render: Render) -> None:
    with pytest.raises(ValueError, match=sentence):
        render(f"--set={argument}")


def test_the_init_script_makes_a_closed_replica_set(tmp_path: Path) -> None:
    """Against real members with a key file: initiated, the user made, nobody else let in; twice is as good as once."""
    keyfile = tmp_path / "key"
    keyfile.write_text("k" * 128)
    keyfile.chmod(0o400)
    script = CHART / "files" / "mongo_init.py"

    class ByScript(ReplicaSet):
        def initiate(self) -> None:
            for _ in range(2):
                environment = {
                    "PATH": "/usr/bin:/bin",
                    "MONGO_MEMBERS": ",".join(member.address for member in self.members),
                    "MONGO_KEYFILE": "k" * 128,
                    "MONGO_PASSWORD": "hunter2",
                    "MONGO_INIT_SECONDS": "90",
                }
                done = subprocess.run(
                    [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, done.stderr
                assert "hunter2" not in done.stdout + done.stderr

    try:
        started = ByScript(tmp_path, arguments=("--keyFile", str(keyfile)))
        with started as replica_set:
            address = replica_set.url.replace("mongodb://", "mongodb://taskservice:hunter2@") + "&authSource=admin"
            with MongoClient[dict[str, Any]](address, timeoutMS=15_000) as client:
                client.taskservice.tasks.insert_one({"_id": 1})
                with pytest.raises(OperationFailure):
                    client.other.things.insert_one({"_id": 1})
            with (
                MongoClient[dict[str, Any]](replica_set.url, timeoutMS=15_000) as client,
                pytest.raises(OperationFailure),
            ):
                client.taskservice.tasks.find_one()
    except PartUnavailable as reason:
        pytest.skip(str(reason))
