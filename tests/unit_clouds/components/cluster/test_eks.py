"""A cluster on EKS, as its components declare it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.clouds import AUTHORITY, SERVER, eks
from infrakit.engine import Made, Played
from taskservice_infra.components.cluster.eks_nodes import image_type

TAGGED = {"managed-by": "pulumi", "stack": "production", "part-of": "taskservice"}


@pytest.fixture(scope="module")
def made(run: Any) -> Played:
    return run(eks())


def statements(made: Made, field: str = "policy") -> list[dict[str, Any]]:
    return json.loads(made.inputs[field])["Statement"]


def test_the_control_plane_has_no_public_endpoint_and_all_its_logs(made: Played) -> None:
    cluster = made.one("Cluster").inputs
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert set(cluster["enabledClusterLogTypes"]) == {"api", "audit", "authenticator", "controllerManager", "scheduler"}
    assert cluster["deletionProtection"] is True


def test_a_restricted_endpoint_answers_the_networks_that_are_named(run: Any) -> None:
    cluster = run(eks(apiAccess="restricted", authorizedNetworks=["203.0.113.0/24"])).one("Cluster").inputs
    assert cluster["vpcConfig"]["endpointPublicAccess"] is True
    assert cluster["vpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_secrets_disks_volumes_and_logs_are_encrypted_by_the_clusters_key(made: Played) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    encryption = made.one("Cluster").inputs["encryptionConfig"]
    assert encryption == {"provider": {"keyArn": key}, "resources": ["secrets"]}
    for template in made.all("LaunchTemplate"):
        for mapping in template.inputs["blockDeviceMappings"]:
            assert mapping["ebs"]["encrypted"] == "true"
            assert mapping["ebs"]["kmsKeyId"] == key
    assert {group.inputs["kmsKeyId"] for group in made.all("LogGroup")} == {key}
    assert made.one("StorageClass").inputs["parameters"] == {"type": "gp3", "encrypted": "true", "kmsKeyId": key}
    assert all(each.inputs["enableKeyRotation"] is True for each in made.all("Key"))


def test_the_log_group_exists_before_the_cluster_that_would_make_one_without_a_key(made: Played) -> None:
    group = made.one("LogGroup", "taskservice-test-control-plane")
    assert group.inputs["name"] == "/aws/eks/taskservice-test/cluster"
    assert group.urn in made.one("Cluster").dependencies


def test_nodes_are_in_private_subnets_only(made: Played) -> None:
    private = {f"{subnet.name}_id" for subnet in made.all("Subnet") if "private" in subnet.name}
    assert len(private) == 3
    for group in made.all("NodeGroup"):
        assert set(group.inputs["subnetIds"]) == private
    assert set(made.one("Cluster").inputs["vpcConfig"]["subnetIds"]) == private
    assert all(subnet.inputs["mapPublicIpOnLaunch"] is False for subnet in made.all("Subnet"))


def test_there_is_one_way_out_per_zone_and_only_one_without_high_availability(made: Played, run: Any) -> None:
    assert len(made.all("NatGateway")) == 3
    small = run(eks(highAvailability=False, zones=["us-east-1a", "us-east-1b"]))
    assert len(small.all("NatGateway")) == 1
    tables = [table for table in small.all("RouteTable") if "private" in table.name]
    assert {table.inputs["routes"][0]["natGatewayId"] for table in tables} == {"taskservice-test-nat-us-east-1a_id"}


def test_nodes_wait_for_their_way_out_and_their_network(made: Played) -> None:
    group = made.one("NodeGroup", "taskservice-test-general")
    component = made.one("EksNodes", "taskservice-test-general")
    assert group.parent == component.urn
    waited = " ".join((*component.dependencies, *group.dependencies))
    assert "taskservice-test-vpc-cni" in waited
    assert "RouteTableAssociation" in waited


def test_pods_cannot_read_the_nodes_credentials(made: Played) -> None:
    for template in made.all("LaunchTemplate"):
        assert template.inputs["metadataOptions"]["httpTokens"] == "required"
        assert template.inputs["metadataOptions"]["httpPutResponseHopLimit"] == 1


def test_pools_scale_between_their_bounds_and_the_program_does_not_undo_it(made: Played) -> None:
    general = made.one("NodeGroup", "taskservice-test-general")
    assert general.inputs["scalingConfig"] == {"minSize": 3, "maxSize": 9, "desiredSize": 3}
    assert "scalingConfig.desiredSize" in general.ignored
    batch = made.one("NodeGroup", "taskservice-test-batch")
    assert batch.inputs["capacityType"] == "SPOT"
    assert batch.inputs["taints"] == [{"key": "taskservice.dev/spot", "value": "true", "effect": "NO_SCHEDULE"}]


def test_the_autoscaler_changes_groups_of_this_cluster_only(made: Played) -> None:
    scale = next(
        each for each in statements(made.one("RolePolicy", "taskservice-test-autoscaler")) if each["Sid"] == "Scale"
    )
    tag = {"aws:ResourceTag/k8s.io/cluster-autoscaler/taskservice-test": "owned"}
    assert scale["Condition"] == {"StringEquals": tag}
    release = made.one("Release", "taskservice-test-autoscaler").inputs
    assert release["values"]["autoDiscovery"] == {"clusterName": "taskservice-test"}
    assert release["values"]["rbac"]["serviceAccount"]["name"] == "cluster-autoscaler"


def test_a_node_has_the_two_policies_that_a_node_needs(made: Played) -> None:
    attached = {each.inputs["policyArn"] for each in made.all("RolePolicyAttachment") if "-nodes-" in each.name}
    assert {arn.rsplit("/", 1)[-1] for arn in attached} == {
        "AmazonEKSWorkerNodePolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }


def test_roles_of_pods_are_tied_to_one_service_account_each(made: Played) -> None:
    tied = {(each.inputs["namespace"], each.inputs["serviceAccount"]) for each in made.all("PodIdentityAssociation")}
    assert tied == {
        ("kube-system", "aws-node"),
        ("kube-system", "ebs-csi-controller-sa"),
        ("kube-system", "cluster-autoscaler"),
        ("secrets", "vault"),
    }
    for role in made.all("Role"):
        (trust,) = statements(role, "assumeRolePolicy")
        if trust["Principal"]["Service"] == "pods.eks.amazonaws.com":
            assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_vault_unseals_by_a_key_that_it_may_use_and_nothing_else(made: Played) -> None:
    (statement,) = statements(made.one("RolePolicy", "taskservice-test-unseal"))
    assert statement["Action"] == ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]
    assert statement["Resource"] == ["arn:aws:kms:us-east-1:123456789012:key/1"]
    assert made.outputs["unseal"] == {"seal": {"kind": "awskms", "region": "us-east-1", "key": "key-1"}}


def test_nobody_gets_rights_by_having_made_the_cluster(made: Played) -> None:
    access = made.one("Cluster").inputs["accessConfig"]
    assert access == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    entry = made.one("AccessPolicyAssociation").inputs
    assert entry["principalArn"] == "arn:aws:iam::123456789012:role/platform"


def test_nothing_is_made_in_another_account(made: Played) -> None:
    assert made.one("aws").inputs["allowedAccountIds"] == json.dumps(["123456789012"])
    outside = [
        each.name for each in made.made if each.type.startswith("aws:") and "pulumi:providers:aws" not in each.provider
    ]
    assert outside == []


def test_whatever_can_have_tags_has_them(made: Played) -> None:
    for each in made.made:
        if "tags" in each.inputs:
            assert TAGGED.items() <= each.inputs["tags"].items(), each.name
    for kind in (
        "Vpc",
        "Subnet",
        "Cluster",
        "NodeGroup",
        "LaunchTemplate",
        "Key",
        "Role",
        "LogGroup",
        "NatGateway",
        "Eip",
    ):
        assert all("tags" in each.inputs for each in made.all(kind)), kind


def test_the_kubeconfig_asks_for_tokens_and_holds_none(made: Played) -> None:
    kubeconfig = json.loads(made.outputs["kubeconfig"])
    assert kubeconfig["clusters"][0]["cluster"] == {"server": SERVER, "certificate-authority-data": AUTHORITY}
    (user,) = kubeconfig["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["args"][:4] == ["--region", "us-east-1", "eks", "get-token"]
    assert made.outputs["context"] == kubeconfig["current-context"] == "taskservice-test"


@pytest.mark.parametrize(
    ("size", "image"),
    [
        ("m7i.large", "BOTTLEROCKET_x86_64"),
        ("m7g.large", "BOTTLEROCKET_ARM_64"),
        ("c8gd.xlarge", "BOTTLEROCKET_ARM_64"),
        ("t4g.medium", "BOTTLEROCKET_ARM_64"),
        ("g5.xlarge", "BOTTLEROCKET_x86_64"),
        ("m7i-flex.large", "BOTTLEROCKET_x86_64"),
    ],
)
def test_the_nodes_image_fits_the_sizes_processor(size: str, image: str) -> None:
    assert image_type(size) == image
