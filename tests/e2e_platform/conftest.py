"""The platform as `make up` brings it: the real engine and provider on a cluster of its own, `platform-test`.

Nothing is mocked. The first run is killed half way, and the next completes it: whatever a test asks of the platform, it
asks of one that was put right. Stack files are copies of the checkout's, so that tests may change settings.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskservice_infra.automation.projects import FOLDER, PROJECTS
from taskservice_local.built import BuiltCluster
from taskservice_local.parts import KUBERNETES
from taskservice_local.paths import CHECKOUT, ClusterPaths

NAME = "platform-test"
SOURCES = ("platform/local/src", "platform/pulumi/src")
NAMESPACES = ("secrets", "data", "observability", "observability-nodes", "apps", "taskservice-system")
UP = tuple(project.name for project in PROJECTS)
ORDER = ("test_beginning.py", "test_platform.py", "test_vault.py", None, "test_gateway.py", "test_end.py")
"""Of the files: nothing is there before the first, nothing after the last; None stands for all others."""
MINUTES = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return ORDER.index(item.path.name if item.path.name in ORDER else None)

    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    assert len(ours) == len(items), "these tests run alone: their cluster has an order of its own"
    items.sort(key=place)


@dataclass(frozen=True)
class Platform:
    """The commands a developer types, and questions about what they left. ``settings``: the folder of stack files."""

    paths: ClusterPaths
    settings: Path
    projects: tuple[str, ...] = UP
    namespaces: tuple[str, ...] = NAMESPACES

    @property
    def state(self) -> Path:
        return self.paths.state / "pulumi"

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(str(CHECKOUT / source) for source in SOURCES)
        own = {"TASKSERVICE_CLUSTER": NAME, "CLUSTER": "built", "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
        return {**os.environ, **own}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "taskservice_infra", *words, "--settings", str(self.settings)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=30 * MINUTES
        )

    def ok(self, *words: str) -> str:
        """What the verb told; it has to succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def killed_when(self, come: Callable[[], bool], *words: str) -> None:
        """Run the verb, and kill it with all its children as soon as something has come true."""
        process = subprocess.Popen(
            self.command(*words), env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            end = time.monotonic() + 20 * MINUTES
            while not come():
                assert process.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < end
                time.sleep(0.2)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kubectl(self, *words: str) -> str:
        command = [str(KUBERNETES.binary("kubectl")), f"--kubeconfig={self.paths.kubeconfig}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def exists(self, namespace: str, kind: str, name: str) -> bool:
        command = [str(KUBERNETES.binary("kubectl")), f"--kubeconfig={self.paths.kubeconfig}", "-n", namespace]
        done = subprocess.run([*command, "get", kind, name], capture_output=True, text=True, timeout=60)
        return done.returncode == 0

    def items(self, *words: str) -> list[dict[str, Any]]:
        return json.loads(self.kubectl("get", *words, "-o", "json"))["items"]

    def secrets(self, *namespaces: str) -> dict[str, str]:
        """Every value of every Secret of the platform there, by where it is."""
        found = {}
        for namespace in namespaces:
            for item in self.items("secrets", "-n", namespace):
                for key, value in (item.get("data") or {}).items():
                    found[f"{namespace}/{item['metadata']['name']}/{key}"] = base64.b64decode(value).decode()
        return found

    def set(self, project: str, key: str, **values: Any) -> None:
        """Change settings of the copied stack file."""
        file = self.settings / project / "Pulumi.local.yaml"
        content = yaml.safe_load(file.read_text())
        content["config"].setdefault(f"{project}:{key}", {}).update(values)
        file.write_text(yaml.safe_dump(content))

    def with_setting(self, key: str, value: dict[str, Any]) -> Path:
        """A copy of the stack files in which one setting is another."""
        project = key.split(":")[0]
        copy = self.settings.parent / f"{self.settings.name}-{project}"
        shutil.copytree(self.settings, copy, dirs_exist_ok=True)
        file = copy / project / "Pulumi.local.yaml"
        content = yaml.safe_load(file.read_text())
        content["config"][key] = value
        file.write_text(yaml.safe_dump(content))
        return copy

    def unset(self, project: str, key: str) -> dict[str, Any]:
        """Take settings out of the copied stack file, and return them."""
        file = self.settings / project / "Pulumi.local.yaml"
        content = yaml.safe_load(file.read_text())
        values = content["config"].pop(f"{project}:{key}")
        file.write_text(yaml.safe_dump(content))
        return values

    def taskservice(self, name: str) -> dict[str, Any]:
        """A TaskService of the sample."""
        return json.loads(self.kubectl("get", "taskservices.taskservice.dev", name, "-n", "apps", "-o", "json"))

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """A condition of a TaskService; without one, empty."""
        conditions = self.taskservice(name).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def address(self, namespace: str, service: str) -> str:
        """A Service's address, which this machine reaches like the cluster's nodes do."""
        words = ("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}")
        return self.kubectl(*words)

    def until(self, what: str, come: Callable[[], bool], seconds: float = 180) -> None:
        """Wait for something to come true."""
        end = time.monotonic() + seconds
        while not come():
            assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
            time.sleep(1)

    def generations(self) -> dict[str, tuple[str, int]]:
        """Which object each name is now, and how often it was changed."""
        kinds = "statefulsets,deployments,services,configmaps,secrets,jobs,serviceaccounts"
        return {
            f"{namespace}/{item['kind']}/{item['metadata']['name']}": (
                item["metadata"]["uid"],
                item["metadata"].get("generation", 0) or int(item["metadata"]["resourceVersion"]),
            )
            for namespace in self.namespaces
            for item in self.items(kinds, "-n", namespace)
            if item["kind"] not in {"ConfigMap"} or item["metadata"]["name"] != "kube-root-ca.crt"
        }


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """No platform at all; whatever there is of it is gone when the tests are over."""
    settings = tmp_path_factory.mktemp("stack-files")
    for project in PROJECTS:
        (settings / project.name).mkdir()
        shutil.copy(FOLDER / project.name / "Pulumi.local.yaml", settings / project.name)
    paths = ClusterPaths.of({**os.environ, "TASKSERVICE_CLUSTER": NAME})
    BuiltCluster(paths).down()
    platform = Platform(paths, settings)
    # It comes last, to a platform that is up: with its many definitions every other run would take longer.
    platform.unset("apps", "gateway")
    yield platform
    BuiltCluster(paths).down()


@pytest.fixture(scope="session")
def broken(untouched: Platform) -> Platform:
    """A first `up` that was killed while the members of the database were starting."""
    untouched.killed_when(
        lambda: untouched.paths.kubeconfig.exists() and untouched.exists("data", "statefulset", "mongodb"),
        "up",
        *UP,
    )
    return untouched


@pytest.fixture(scope="session")
def completed(broken: Platform) -> Platform:
    """The same, after a second `up`."""
    broken.ok("up", *UP)
    return broken


@pytest.fixture
def platform(completed: Platform) -> Platform:
    """The platform, up and as its stack files say."""
    return completed


@pytest.fixture(scope="session")
def gateway(completed: Platform) -> str:
    """The address of the way in, added to a platform that is up, as the checkout's stack file has it."""
    given = yaml.safe_load((FOLDER / "apps" / "Pulumi.local.yaml").read_text())["config"]["apps:gateway"]
    completed.set("apps", "gateway", **given)
    completed.ok("up", "apps")
    words = ("get", "gateway", "taskservice", "-n", "apps", "-o", "jsonpath={.status.addresses[0].value}")
    completed.until("the gateway has an address", lambda: completed.kubectl(*words) != "")
    return completed.kubectl(*words)
