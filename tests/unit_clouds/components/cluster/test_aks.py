"""A cluster on AKS, as its components declare it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.clouds import AUTHORITY, GUID, SERVER, aks
from infrakit.engine import Played
from taskservice_infra.components.cluster.aks_identity import ROLES


@pytest.fixture(scope="module")
def made(run: Any) -> Played:
    return run(aks())


def test_the_api_server_is_private_and_has_no_local_accounts(made: Played) -> None:
    cluster = made.one("ManagedCluster").inputs
    assert cluster["apiServerAccessProfile"]["enablePrivateCluster"] is True
    assert cluster["apiServerAccessProfile"]["disableRunCommand"] is True
    assert cluster["disableLocalAccounts"] is True
    assert cluster["aadProfile"]["adminGroupObjectIDs"] == [GUID]


def test_a_restricted_endpoint_answers_the_networks_that_are_named(run: Any) -> None:
    access = (
        run(aks(apiAccess="restricted", authorizedNetworks=["203.0.113.0/24"]))
        .one("ManagedCluster")
        .inputs["apiServerAccessProfile"]
    )
    assert access["enablePrivateCluster"] is False
    assert access["authorizedIPRanges"] == ["203.0.113.0/24"]


def test_secrets_are_encrypted_by_a_key_that_the_control_plane_alone_may_use(made: Played) -> None:
    kms = made.one("ManagedCluster").inputs["securityProfile"]["azureKeyVaultKms"]
    assert kms["enabled"] is True
    assert kms["keyId"] == "https://vault.example/keys/etcd/1"
    grant = made.one("RoleAssignment", "taskservice-test-control-plane-key")
    assert grant.inputs["roleDefinitionId"].endswith(ROLES["Key Vault Crypto User"])
    assert grant.inputs["scope"] == "taskservice-test-etcd_id"
    assert grant.urn in made.one("ManagedCluster").dependencies


def test_the_key_vault_answers_the_nodes_subnet_only_and_forgets_nothing(made: Played) -> None:
    vault = made.one("Vault").inputs["properties"]
    assert vault["networkAcls"]["defaultAction"] == "Deny"
    assert vault["networkAcls"]["virtualNetworkRules"] == [{"id": "taskservice-test-nodes_id"}]
    assert vault["enablePurgeProtection"] is True
    assert vault["enableRbacAuthorization"] is True


def test_no_right_is_for_the_whole_subscription_or_group(made: Played) -> None:
    scopes = {each.inputs["scope"] for each in made.all("RoleAssignment")}
    assert scopes == {
        "taskservice-test_id",  # the network
        "taskservice-test-etcd_id",
        "taskservice-test-unseal_id",
        "taskservice-tekv_id",
        "taskservice-test-nodes_id",
    }


def test_pods_get_identities_by_federation(made: Played) -> None:
    cluster = made.one("ManagedCluster").inputs
    assert cluster["oidcIssuerProfile"] == {"enabled": True}
    assert cluster["securityProfile"]["workloadIdentity"] == {"enabled": True}
    credential = made.one("FederatedIdentityCredential").inputs
    assert credential["subject"] == "system:serviceaccount:secrets:vault"
    assert credential["issuer"] == "https://issuer.example/"
    assert credential["audiences"] == ["api://AzureADTokenExchange"]
    assert made.outputs["unseal"] == {
        "seal": {"kind": "azurekeyvault", "tenant": GUID, "vault": "vault", "key": "unseal"},
        "serviceAccountAnnotations": {"azure.workload.identity/client-id": "client"},
    }


def test_pools_are_private_encrypted_and_scale_between_their_bounds(made: Played) -> None:
    cluster = made.one("ManagedCluster")
    (first,) = cluster.inputs["agentPoolProfiles"]
    other = made.one("AgentPool").inputs
    for pool in (first, other):
        assert pool["enableNodePublicIP"] is False
        assert pool["enableEncryptionAtHost"] is True
        assert pool["enableAutoScaling"] is True
        assert pool["vnetSubnetID"] == "taskservice-test-nodes_id"
        assert pool["availabilityZones"] == ["1", "2", "3"]
    assert (first["mode"], first["minCount"], first["maxCount"]) == ("System", 3, 9)
    assert (other["mode"], other["minCount"], other["maxCount"]) == ("User", 0, 6)
    assert other["scaleSetPriority"] == "Spot"
    assert other["nodeTaints"] == ["taskservice.dev/spot=true:NoSchedule"]
    assert cluster.ignored == ("agentPoolProfiles[0].count",)
    assert made.one("AgentPool").ignored == ("count",)


def test_the_only_way_out_is_the_nat_gateway(made: Played) -> None:
    assert made.one("ManagedCluster").inputs["networkProfile"]["outboundType"] == "userAssignedNATGateway"
    nodes = made.one("Subnet", "taskservice-test-nodes").inputs
    assert nodes["natGateway"] == {"id": "taskservice-test-out_id"}
    assert nodes["defaultOutboundAccess"] is False


def test_the_control_planes_logs_are_kept(made: Played) -> None:
    logs = {each["category"] for each in made.one("DiagnosticSetting").inputs["logs"] if each["enabled"]}
    assert {"kube-apiserver", "kube-audit-admin", "kube-scheduler", "guard"} <= logs
    assert made.one("Workspace").inputs["retentionInDays"] == 90


def test_the_control_plane_is_paid_for_where_it_must_not_fail(made: Played, run: Any) -> None:
    assert made.one("ManagedCluster").inputs["sku"]["tier"] == "Standard"
    assert run(aks(highAvailability=False, zones=["1"])).one("ManagedCluster").inputs["sku"]["tier"] == "Free"


def test_nothing_is_made_in_another_subscription(made: Played) -> None:
    provider = made.one("azure-native").inputs
    assert (provider["subscriptionId"], provider["tenantId"]) == (GUID, GUID)
    outside = [
        each.name
        for each in made.made
        if each.type.startswith("azure-native:") and "pulumi:providers:azure-native" not in each.provider
    ]
    assert outside == []


def test_whatever_can_have_tags_has_them(made: Played) -> None:
    tags = {"managed-by": "pulumi", "stack": "production", "part-of": "taskservice"}
    for kind in (
        "ResourceGroup",
        "VirtualNetwork",
        "NatGateway",
        "Vault",
        "ManagedCluster",
        "UserAssignedIdentity",
        "Workspace",
    ):
        assert all(each.inputs["tags"] == tags for each in made.all(kind)), kind


def test_the_kubeconfig_asks_for_tokens_and_holds_none(made: Played) -> None:
    kubeconfig = json.loads(made.outputs["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"] == {"server": SERVER, "certificate-authority-data": AUTHORITY}
    (user,) = kubeconfig["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "kubelogin"
