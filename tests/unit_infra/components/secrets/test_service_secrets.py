"""The services' secrets: addresses reach Vault through a Secret, never through what describes them."""

from __future__ import annotations

import json

import pulumi
import pytest

from infrakit.engine import Played, play
from taskservice_infra.components.secrets.keeper import VaultEndpoint
from taskservice_infra.components.secrets.service_secrets import ServiceSecrets, ServiceSecretsArgs, described
from taskservice_infra.errors import PlatformError
from taskservice_keeper.vault.desired import Desired, Text

SERVICES = [["apps", "auth"], ["apps", "tasks"], ["apps", "worker"]]


def played(mongodb: str = "mongodb://u:hush@m/", **more: str) -> Played:
    addresses = {"TASKSERVICE_MONGO_URL": mongodb, "TASKSERVICE_REDIS_URL": "redis://:hush@r/0", **more}

    def program() -> None:
        ServiceSecrets(
            "service-secrets",
            ServiceSecretsArgs(
                namespace="secrets",
                services_namespace="apps",
                image="docker.io/local/keeper:1",
                endpoint=VaultEndpoint("http://vault:8200", ("http://vault-0:8200",)),
                services=SERVICES,
                addresses={name: pulumi.Output.secret(value) for name, value in addresses.items()},
            ),
        )

    return play(program, project="apps")


def desired(run: Played) -> Desired:
    text = run.one("ConfigMap", "service-secrets-desired").inputs["data"]["desired.json"]
    assert "hush" not in text
    return Desired.model_validate_json(text)


def test_each_service_gets_the_addresses_that_it_reads_and_no_other() -> None:
    wanted = desired(played(TASKSERVICE_BUS_URL="amqp://u:hush@b/"))
    assert set(wanted.secrets["taskservices/apps/auth"]) == {
        "TASKSERVICE_MONGO_URL",
        "TASKSERVICE_REDIS_URL",
        "TASKSERVICE_JWT_PRIVATE_KEY",
        "TASKSERVICE_DIRECTORY_TOKEN",
    }
    assert "TASKSERVICE_BUS_URL" not in wanted.secrets["taskservices/apps/tasks"]
    assert "TASKSERVICE_BUS_URL" in wanted.secrets["taskservices/apps/worker"]


def test_an_address_is_quoted_from_a_secret_that_the_bootstrap_alone_may_read() -> None:
    run = played()
    text = desired(run).secrets["taskservices/apps/auth"]["TASKSERVICE_MONGO_URL"]
    assert isinstance(text, Text)
    assert text.references == [("secret:secrets/service-secrets", "TASKSERVICE_MONGO_URL")]
    assert run.one("Secret", "service-secrets").secrets == {"stringData"}
    names = [rule.get("resourceNames", rule.get("resource_names")) for rule in run.one("Role").inputs["rules"]]
    assert names == [None, ["vault-keys"], ["service-secrets"]]


def test_another_address_makes_another_job_which_does_not_repeat_it() -> None:
    def annotations(run: Played) -> dict[str, str]:
        job = run.one("Job", "service-secrets")
        assert "spec" not in job.secrets
        assert "hush" not in json.dumps(job.inputs)
        return job.inputs["spec"]["template"]["metadata"]["annotations"]

    assert annotations(played()) == annotations(played())
    assert annotations(played()) != annotations(played(mongodb="mongodb://u:other-hush@m/"))


def test_accounts_that_have_no_role_are_refused_by_the_key_that_would_give_them_one() -> None:
    with pytest.raises(PlatformError, match=r"secrets:services: lacks the ServiceAccounts tasks, worker of namespace"):
        described([["apps", "auth"]], "apps", ())
