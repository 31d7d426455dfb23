"""Project secrets: what is declared for one node and for several, and what is refused before anything is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.engine import Made, Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.secrets import program
from taskservice_keeper.vault.desired import Desired

KMS = {"kind": "awskms", "region": "eu-west-1", "key": "alias/vault"}


def played(stacks: dict[str, Any], **settings: Any) -> Played:
    config = {f"secrets:{key}": value for key, value in settings.items()}
    return play(lambda: program(FakeMachine()), project="secrets", config=config, stacks=stacks)


def pods(run: Played) -> list[tuple[Made, dict[str, Any]]]:
    """The spec of every pod that is declared, with its owner."""
    found = []
    for made in run.made:
        spec = made.inputs.get("spec") or {}
        spec = spec.get("jobTemplate", {}).get("spec", spec) if isinstance(spec, dict) else {}
        if isinstance(spec, dict) and "template" in spec:
            found.append((made, spec["template"]["spec"]))
    return found


def rules(run: Played, name: str) -> list[dict[str, Any]]:
    return run.one("Role", name).inputs["rules"]


def test_one_node_keeps_raft_storage_on_a_volume_and_asks_for_no_capability(stacks: dict[str, Any]) -> None:
    run = played(stacks, vault={"provider": "dev"})
    server = run.one("StatefulSet", "vault")
    assert server.inputs["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "1Gi"
    configuration = json.loads(run.one("ConfigMap", "vault-config").inputs["data"]["vault.json"])
    assert set(configuration["storage"]) == {"raft"}
    assert configuration["disable_mlock"] is True
    assert run.outputs["vault_address"] == "http://vault.secrets.svc.cluster.local:8200"
    assert (run.outputs["ca_secret"], run.outputs["ca_config_map"]) == (None, None)


def test_every_pod_is_restricted(stacks: dict[str, Any]) -> None:
    found = pods(played(stacks, vault={"provider": "dev"}))
    assert {made.name for made, _ in found} == {"vault", "vault-bootstrap", "vault-snapshots", "vault-unsealer"}
    for made, spec in found:
        assert spec["securityContext"]["runAsNonRoot"] is True, made.name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, made.name
            assert security["allowPrivilegeEscalation"] is False, made.name
            assert security["capabilities"] == {"drop": ["ALL"]}, made.name
            assert container["resources"]["limits"]["memory"], made.name


def test_only_bootstrap_and_unsealer_may_read_the_keys_and_nothing_declares_them(stacks: dict[str, Any]) -> None:
    run = played(stacks, vault={"provider": "dev"})
    readers = {
        role.name
        for role in run.all("Role")
        for rule in role.inputs["rules"]
        if "secrets" in rule["resources"] and ({"get", "list", "watch", "*"} & set(rule["verbs"]))
    }
    assert readers == {"vault-bootstrap", "vault-unsealer-secrets-secrets"}
    for rule in (rule for role in readers for rule in rules(run, role)):
        assert rule["verbs"] == ["create"] or rule["resourceNames"] == ["vault-keys"]
    assert run.all("Secret") == []
    assert [binding.inputs["roleRef"]["name"] for binding in run.all("ClusterRoleBinding")] == ["system:auth-delegator"]


def test_what_the_bootstrap_is_told_is_what_the_keeper_takes_and_holds_no_value(stacks: dict[str, Any]) -> None:
    run = played(stacks, vault={"provider": "dev"})
    text = run.one("ConfigMap", "vault-bootstrap-desired").inputs["data"]["desired.json"]
    desired = Desired.model_validate_json(text)
    assert [service.role for service in desired.services] == ["apps-auth", "apps-tasks", "apps-worker"]
    assert set(desired.secrets["taskservices/apps/auth"]) == {
        "TASKSERVICE_JWT_PRIVATE_KEY",
        "TASKSERVICE_DIRECTORY_TOKEN",
    }
    assert desired.snapshots == ("secrets", "vault-snapshots")


def test_whoever_asks_for_the_address_waits_for_the_bootstrap(stacks: dict[str, Any]) -> None:
    run = played(stacks, vault={"provider": "dev"})
    job = run.one("Job", "vault-bootstrap")
    assert any("StatefulSet::vault" in urn for urn in job.dependencies)
    words = pods(run)
    (arguments,) = [spec["containers"][0]["args"] for made, spec in words if made.name == "vault-bootstrap"]
    assert "--keys=secrets/vault-keys" in arguments
    assert "--address=http://vault.secrets.svc.cluster.local:8200" in arguments


def test_a_changed_description_makes_another_job_and_the_same_one_does_not(stacks: dict[str, Any]) -> None:
    def job(**settings: Any) -> Any:
        return played(stacks, vault={"provider": "dev"}, **settings).one("Job", "vault-bootstrap").inputs["spec"]

    assert job() == job()
    assert job() != job(services=[{"namespace": "apps", "serviceAccount": "auth"}])


@pytest.mark.parametrize("provider", ["vault", "openbao"])
def test_several_nodes_join_by_tls_and_open_themselves(stacks: dict[str, Any], provider: str) -> None:
    run = played(stacks, vault={"provider": provider, "seal": KMS}, keyShares=5, keyThreshold=3)
    chart = run.one("Chart", "vault")
    assert chart.inputs["chart"] == provider
    server = chart.inputs["values"]["server"]
    configuration = json.loads(server["ha"]["raft"]["config"])
    assert configuration["seal"] == {"awskms": {"region": "eu-west-1", "kms_key_id": "alias/vault"}}
    assert len(configuration["storage"]["raft"]["retry_join"]) == 3
    assert "tls_disable" not in configuration["listener"]["tcp"]
    assert ("audit" in configuration) is (provider == "openbao")
    desired = json.loads(run.one("ConfigMap", "vault-bootstrap-desired").inputs["data"]["desired.json"])
    assert desired["audit"] is (provider == "vault")
    assert run.outputs["ca_secret"] == "vault-tls"
    copy = run.one("ConfigMap", "vault-ca")
    assert copy.inputs["metadata"]["namespace"] == "taskservice-system"
    assert copy.inputs["data"] == {"ca.crt": "AUTHORITY"}
    assert run.outputs["ca_config_map"] == "vault-ca"
    for made, spec in pods(run):
        assert any(volume.get("secret", {}).get("secretName") == "vault-tls" for volume in spec["volumes"]), made.name


def test_the_token_of_a_transit_seal_comes_from_a_secret(stacks: dict[str, Any]) -> None:
    seal = {"kind": "transit", "address": "https://vault.example.com", "key": "unseal", "tokenSecret": "transit-token"}
    values = played(stacks, vault={"provider": "vault", "seal": seal}).one("Chart").inputs["values"]
    assert values["server"]["extraSecretEnvironmentVars"] == [
        {"envName": "VAULT_TOKEN", "secretName": "transit-token", "secretKey": "token"}
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, r"Pulumi.test.yaml: secrets:vault: is missing"),
        ({"vault": {"provider": "conjur"}}, r"secrets:vault.provider: 'conjur' is not known; use one of"),
        ({"vault": {"provider": "vault"}}, r"secrets:vault.seal: is missing"),
        ({"vault": {"provider": "vault", "seal": KMS, "replicas": 2}}, r"secrets:vault.replicas: 2 members cannot"),
        (
            {"vault": {"provider": "dev"}, "keyShares": 2, "keyThreshold": 3},
            r"keyThreshold: 3 shares can never",
        ),
        ({"vault": {"provider": "dev"}, "keyShares": 3}, r"secrets:keyThreshold: must be at least 2"),
        ({"vault": {"provider": "dev"}, "snapshots": {"schedule": "hourly"}}, r"secrets:snapshots.schedule"),
        (
            {
                "vault": {"provider": "dev"},
                "services": [
                    {"namespace": "a-b", "serviceAccount": "c"},
                    {"namespace": "a", "serviceAccount": "b-c"},
                ],
            },
            r"secrets:services: two of them would share the role a-b-c",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_key(
    stacks: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadConfiguration, match=sentence):
        played(stacks, **settings)
