"""The sample and Vault: credentials come from there only, a new version is a release, a seal takes nothing away."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infrakit.vault_hands import VaultHands

SERVICES = ("auth", "tasks", "worker")
MONGO = "TASKSERVICE_MONGO_URL"


@pytest.fixture
def vault(platform) -> VaultHands:
    words = ("get", "secret", "vault-keys", "-n", "secrets", "-o", "jsonpath={.data.shares}")
    share = base64.b64decode(platform.kubectl(*words)).decode().split()[0]
    return VaultHands(platform.address("secrets", "vault"), share)


def copy(platform, name: str) -> dict[str, str]:
    """What the pods of the active revision are given."""
    active = platform.taskservice(name)["status"]["revisions"]["active"]
    found = json.loads(platform.kubectl("get", "secret", f"{name}-{active}-vault", "-n", "apps", "-o", "json"))
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


@contextmanager
def asking(platform, name: str) -> Iterator[Counter[Any]]:
    """Requests for a task list without a token, one after the other; how they were answered is counted."""
    answers: Counter[Any] = Counter()
    stop, address = threading.Event(), platform.address("apps", name)

    def ask() -> None:
        while not stop.wait(0.05):
            connection = http.client.HTTPConnection(address, timeout=20)
            try:
                connection.request("GET", "/v1/tasks")
                answers[connection.getresponse().status] += 1
            except (OSError, http.client.HTTPException) as error:
                answers[repr(error)] += 1
            finally:
                connection.close()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join(30)


def test_the_samples_credentials_are_those_of_vault_and_no_other_secret_is_there(platform, vault) -> None:
    for name in SERVICES:
        taskservice = platform.taskservice(name)
        asked = [(each["name"], each.get("vault", {}).get("path")) for each in taskservice["spec"]["secrets"]]
        assert asked == [("vault", f"taskservices/apps/{name}")]
        assert platform.condition(name, "SecretsReady")["reason"] == "SecretsRead"
        with vault.as_root():
            held = vault.read(f"taskservices/apps/{name}")
        assert MONGO in held
        assert copy(platform, name) == held
    owners = {
        secret["metadata"]["name"]: [owner["kind"] for owner in secret["metadata"].get("ownerReferences", [])]
        for secret in platform.items("secrets", "-n", "apps")
    }
    assert all(owners.values()), owners


def test_a_new_version_in_vault_is_released_without_a_dropped_request(platform, vault) -> None:
    before = platform.taskservice("tasks")["status"]["revisions"]["active"]
    others = [platform.taskservice(name)["status"]["revisions"]["active"] for name in ("auth", "worker")]
    with vault.as_root():
        held = vault.read("taskservices/apps/tasks")
        rotated = f"{held[MONGO]}&appName=rotated"
        with asking(platform, "tasks") as answers:
            vault.write("taskservices/apps/tasks", {**held, MONGO: rotated})
            platform.until(
                "released anew",
                lambda: (
                    platform.taskservice("tasks")["status"]["revisions"]["active"] != before
                    and platform.condition("tasks", "Ready").get("status") == "True"
                ),
            )
    assert copy(platform, "tasks")[MONGO] == rotated
    assert set(answers) == {401}, answers
    assert [platform.taskservice(name)["status"]["revisions"]["active"] for name in ("auth", "worker")] == others


def test_while_vault_is_sealed_the_condition_says_what_to_do_and_pods_serve_on_until_a_run_mends_it(
    platform, vault
) -> None:
    pods = {pod["metadata"]["uid"] for pod in platform.items("pods", "-n", "apps")}
    platform.kubectl("scale", "deployment", "vault-unsealer", "-n", "secrets", "--replicas=0")
    platform.kubectl("wait", "pod", "-n", "secrets", "-l", "app.kubernetes.io/name=vault-unsealer", "--for=delete")
    with asking(platform, "tasks") as answers:
        platform.kubectl("delete", "pod", "vault-0", "-n", "secrets")
        platform.until("Vault is sealed", vault.sealed)
        platform.until(
            "the seal is told", lambda: platform.condition("tasks", "SecretsReady")["reason"] == "VaultSealed"
        )
        assert "vault operator unseal" in platform.condition("tasks", "SecretsReady")["message"]
        assert platform.condition("tasks", "Ready")["status"] == "True"
        platform.ok("up", "secrets")
        for name in SERVICES:
            platform.until(
                f"{name} reads again", lambda name=name: platform.condition(name, "SecretsReady")["status"] == "True"
            )
    assert set(answers) == {401}, answers
    assert pods == {pod["metadata"]["uid"] for pod in platform.items("pods", "-n", "apps")}
