"""A cluster on GKE, as its components declare it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.clouds import AUTHORITY, SERVER, gke
from infrakit.engine import Played


@pytest.fixture(scope="module")
def made(run: Any) -> Played:
    return run(gke())


def test_nodes_and_endpoint_are_private(made: Played) -> None:
    private = made.one("Cluster").inputs["privateClusterConfig"]
    assert private["enablePrivateNodes"] is True
    assert private["enablePrivateEndpoint"] is True
    assert all(pool.inputs["networkConfig"]["enablePrivateNodes"] is True for pool in made.all("NodePool"))


def test_a_restricted_endpoint_answers_the_networks_that_are_named(run: Any) -> None:
    cluster = run(gke(apiAccess="restricted", authorizedNetworks=["203.0.113.0/24"])).one("Cluster").inputs
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is False
    assert cluster["masterAuthorizedNetworksConfig"]["cidrBlocks"] == [{"cidrBlock": "203.0.113.0/24"}]


def test_secrets_disks_and_volumes_are_encrypted_by_the_clusters_key(made: Played) -> None:
    key = "taskservice-test_id"
    assert made.one("Cluster").inputs["databaseEncryption"] == {"state": "ENCRYPTED", "keyName": key}
    assert {pool.inputs["nodeConfig"]["bootDiskKmsKey"] for pool in made.all("NodePool")} == {key}
    assert made.one("StorageClass").inputs["parameters"]["disk-encryption-kms-key"] == key
    assert all(each.inputs["rotationPeriod"] == "7776000s" for each in made.all("CryptoKey"))


def test_the_clouds_own_accounts_may_use_the_key_before_the_cluster_needs_it(made: Played) -> None:
    grants = {grant.name: grant for grant in made.all("CryptoKeyIAMMember")}
    gke_grant = grants["taskservice-test-gke"]
    assert gke_grant.inputs["member"] == "serviceAccount:service-42@container-engine-robot.iam.gserviceaccount.com"
    assert gke_grant.urn in made.one("Cluster").dependencies


def test_pods_see_their_own_identity_and_nodes_have_two_roles(made: Played) -> None:
    assert made.one("Cluster").inputs["workloadIdentityConfig"] == {"workloadPool": "taskservice-test.svc.id.goog"}
    for pool in made.all("NodePool"):
        assert pool.inputs["nodeConfig"]["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert pool.inputs["nodeConfig"]["serviceAccount"] == "nodes@taskservice-test.iam.gserviceaccount.com"
    assert {member.inputs["role"] for member in made.all("IAMMember")} == {
        "roles/container.defaultNodeServiceAccount",
        "roles/artifactregistry.reader",
    }


def test_vault_unseals_by_a_key_of_its_own_as_its_service_account(made: Played) -> None:
    users = [
        grant.inputs["member"]
        for grant in made.all("CryptoKeyIAMMember")
        if grant.name.startswith("taskservice-test-unseal")
    ]
    assert len(users) == 2
    for user in users:
        assert user.startswith("principal://iam.googleapis.com/projects/42/")
        assert user.endswith("/subject/ns/secrets/sa/vault")
    assert made.outputs["unseal"]["seal"]["kind"] == "gcpckms"
    assert made.outputs["unseal"]["seal"]["key"] == "taskservice-test-unseal"


def test_pools_scale_between_their_bounds_over_all_zones(made: Played) -> None:
    general = made.one("NodePool", "taskservice-test-general").inputs
    assert general["autoscaling"] == {"totalMinNodeCount": 3, "totalMaxNodeCount": 9, "locationPolicy": "BALANCED"}
    assert general["nodeLocations"] == ["us-central1-a", "us-central1-b", "us-central1-c"]
    batch = made.one("NodePool", "taskservice-test-batch").inputs
    assert batch["nodeConfig"]["spot"] is True
    assert batch["nodeConfig"]["taints"] == [{"key": "taskservice.dev/spot", "value": "true", "effect": "NO_SCHEDULE"}]


def test_nodes_start_securely_and_the_default_pool_goes(made: Played) -> None:
    shielded = {"enableSecureBoot": True, "enableIntegrityMonitoring": True}
    assert all(pool.inputs["nodeConfig"]["shieldedInstanceConfig"] == shielded for pool in made.all("NodePool"))
    assert made.one("Cluster").inputs["removeDefaultNodePool"] is True


def test_nodes_wait_for_their_way_out(made: Played) -> None:
    nat = made.one("RouterNat")
    assert nat.inputs["subnetworks"][0]["sourceIpRangesToNats"] == ["ALL_IP_RANGES"]
    assert nat.urn in made.one("Cluster").dependencies


def test_the_control_planes_logs_are_kept_and_its_old_ways_in_are_shut(made: Played) -> None:
    cluster = made.one("Cluster").inputs
    assert {"APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"} <= set(cluster["loggingConfig"]["enableComponents"])
    assert cluster["masterAuth"]["clientCertificateConfig"] == {"issueClientCertificate": False}
    assert cluster["enableLegacyAbac"] is False
    assert cluster["deletionProtection"] is True


def test_whatever_can_have_labels_has_them(made: Played) -> None:
    labels = {"managed-by": "pulumi", "stack": "production", "part-of": "taskservice"}
    assert made.one("Cluster").inputs["resourceLabels"] == labels
    assert all(key.inputs["labels"] == labels for key in made.all("CryptoKey"))
    assert all(pool.inputs["nodeConfig"]["resourceLabels"] == labels for pool in made.all("NodePool"))


def test_the_kubeconfig_asks_for_tokens_and_holds_none(made: Played) -> None:
    kubeconfig = json.loads(made.outputs["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"] == {"server": SERVER, "certificate-authority-data": AUTHORITY}
    (user,) = kubeconfig["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
