"""The sample with its credentials in Vault: one secret for each service, read as that service and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api.spec import parse_spec
from taskservice_operator.core.model import VaultRequest
from taskservice_operator.core.vaulted import requests
from taskservice_operator.render.deployment import build_deployment
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.record import Record

Manifest = dict[str, Any]
ELSEWHERE = {"enabled": False}
VALUES = {"vault": {"enabled": True}, "mongo": ELSEWHERE, "redis": ELSEWHERE, "rabbitmq": ELSEWHERE}


@pytest.fixture(scope="module")
def sample(helm) -> list[Manifest]:
    return helm.render("taskservice-app", VALUES)


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests if m["kind"] == kind}


def test_each_service_asks_for_one_secret_as_itself(sample: list[Manifest]) -> None:
    for name, taskservice in of_kind(sample, "TaskService").items():
        taskservice["metadata"]["namespace"] = "system"
        expected = VaultRequest("system", name, f"system-{name}", "secret", f"taskservices/system/{name}")
        assert requests(taskservice) == {expected}
        assert len(taskservice["spec"]["secrets"]) == 1


def test_the_service_accounts_are_made(sample: list[Manifest]) -> None:
    assert set(of_kind(sample, "ServiceAccount")) == {"auth", "tasks", "worker"}


def test_without_a_worker_there_is_none_for_it(helm) -> None:
    rendered = helm.render("taskservice-app", {**VALUES, "worker": {"enabled": False}})
    assert set(of_kind(rendered, "ServiceAccount")) == {"auth", "tasks"}


def test_no_pod_holds_a_token_for_the_api_server(sample: list[Manifest]) -> None:
    for name, taskservice in of_kind(sample, "TaskService").items():
        spec = parse_spec(taskservice["spec"])
        record = Record("abc", spec.template, None, spec.sources, "blue", 1)
        pod = build_deployment(Owner(name, "system", "uid"), record, 1)["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == name
        assert pod["automountServiceAccountToken"] is False


def test_mount_and_path_can_be_others(helm) -> None:
    values = {**VALUES, "vault": {"enabled": True, "mount": "kv", "path": "teams/one"}}
    auth = of_kind(helm.render("taskservice-app", values), "TaskService")["auth"]
    assert auth["spec"]["secrets"] == [{"name": "vault", "vault": {"mount": "kv", "path": "teams/one/system/auth"}}]


def test_without_vault_nothing_of_it_is_there(helm) -> None:
    rendered = helm.render("taskservice-app")
    assert of_kind(rendered, "ServiceAccount") == {}
    for taskservice in of_kind(rendered, "TaskService").values():
        assert "serviceAccountName" not in taskservice["spec"]
        assert "podTemplate" not in taskservice["spec"]
