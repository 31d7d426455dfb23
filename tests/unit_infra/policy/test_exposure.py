"""Data cannot be reached from outside, nodes neither; the API and load balancers answer networks that are named."""

from __future__ import annotations

from typing import Any

import pytest

from infrakit.subjects import REMOVED, a_resource, a_service, spoilt
from taskservice_infra.policy.exposure import (
    BUCKET_BLOCK,
    PUBLIC_SWITCHES,
    is_everywhere,
    open_api_endpoint,
    open_load_balancer,
    public_database,
    public_node,
)
from taskservice_infra.policy.model import UNKNOWN, Resource


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0", "128.0.0.0/1"])
def test_all_addresses_and_half_of_them_are_everywhere(cidr: str) -> None:
    assert is_everywhere(cidr)
    assert not is_everywhere("10.0.0.0/8")
    assert not is_everywhere("Internet")


@pytest.mark.parametrize(("token", "path", "public"), PUBLIC_SWITCHES)
def test_a_managed_database_that_is_public_is_refused(token: str, path: str, public: Any) -> None:
    assert list(public_database(spoilt(a_resource(token), path, public))) != []
    assert list(public_database(a_resource(token))) == []


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
@pytest.mark.parametrize("port", [27017, 6379, 5672, 8200])
def test_a_service_that_offers_data_outside_is_refused(kind: str, port: int) -> None:
    assert list(public_database(a_service(kind, port))) != []
    assert list(public_database(a_service("ClusterIP", port))) == []
    assert list(public_database(a_service(kind, 443))) == []


def test_a_security_group_that_opens_a_data_port_to_all_is_refused() -> None:
    def group(cidr: str, first: int, last: int, protocol: str = "tcp") -> Resource:
        rule = {"cidrBlocks": [cidr], "fromPort": first, "toPort": last, "protocol": protocol}
        return a_resource("aws:ec2/securityGroup:SecurityGroup", ingress=[rule])

    assert list(public_database(group("0.0.0.0/0", 27017, 27017))) != []
    assert list(public_database(group("0.0.0.0/0", 27000, 28000))) != []
    assert list(public_database(group("0.0.0.0/0", 0, 0, "-1"))) != []
    assert list(public_database(group("0.0.0.0/0", 443, 443))) == []
    assert list(public_database(group("10.0.0.0/8", 27017, 27017))) == []


def test_the_newer_kind_of_ingress_rule_is_looked_at() -> None:
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    rule = a_resource(token, cidrIpv4="0.0.0.0/0", fromPort=6379, toPort=6379, ipProtocol="tcp")
    assert list(public_database(rule)) != []
    assert list(public_database(spoilt(rule, "cidrIpv4", "10.0.0.0/8"))) == []


def test_firewalls_of_google_and_azure_are_looked_at() -> None:
    firewall = a_resource(
        "gcp:compute/firewall:Firewall", sourceRanges=["0.0.0.0/0"], allows=[{"protocol": "tcp", "ports": ["6379"]}]
    )
    assert list(public_database(firewall)) != []
    assert list(public_database(spoilt(firewall, "sourceRanges", ["10.0.0.0/8"]))) == []
    assert list(public_database(spoilt(firewall, "allows", [{"protocol": "tcp"}]))) != []
    rule = {"direction": "Inbound", "access": "Allow", "sourceAddressPrefix": "Internet", "destinationPortRange": "*"}
    group = a_resource("azure-native:network:NetworkSecurityGroup", securityRules=[rule])
    assert list(public_database(group)) != []
    assert list(public_database(spoilt(group, "securityRules.0.access", "Deny"))) == []
    assert list(public_database(spoilt(group, "securityRules.0.destinationPortRange", "443"))) == []


def test_stores_for_the_public_are_refused() -> None:
    block = a_resource("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", **dict.fromkeys(BUCKET_BLOCK, True))
    assert list(public_database(block)) == []
    assert list(public_database(spoilt(block, "blockPublicPolicy", False))) != []
    bucket = a_resource("gcp:storage/bucket:Bucket", publicAccessPrevention="enforced")
    assert list(public_database(bucket)) == []
    assert list(public_database(spoilt(bucket, "publicAccessPrevention", "inherited"))) != []
    account = a_resource("azure-native:storage:StorageAccount", allowBlobPublicAccess=False)
    assert list(public_database(account)) == []
    assert list(public_database(spoilt(account, "allowBlobPublicAccess", REMOVED))) != []


def test_a_load_balancer_without_named_networks_is_refused() -> None:
    assert list(open_load_balancer(a_service())) == []
    assert list(open_load_balancer(a_service(ranges=()))) != []
    assert list(open_load_balancer(a_service(ranges=("203.0.113.0/24", "0.0.0.0/0")))) != []
    assert list(open_load_balancer(a_service("ClusterIP", ranges=()))) == []
    assert list(open_load_balancer(spoilt(a_service(), "spec.loadBalancerSourceRanges", UNKNOWN))) == []


def test_the_load_balancer_that_the_gateway_makes_is_looked_at() -> None:
    def proxy(**service: Any) -> Resource:
        return a_resource(
            "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy",
            spec={"provider": {"kubernetes": {"envoyService": service}}},
        )

    assert list(open_load_balancer(proxy(annotations={}))) != []
    assert list(open_load_balancer(proxy(type="ClusterIP"))) == []
    assert list(open_load_balancer(proxy(loadBalancerSourceRanges=["203.0.113.0/24"]))) == []


EKS = a_resource("aws:eks/cluster:Cluster", vpcConfig={"endpointPublicAccess": False})
GKE = a_resource("gcp:container/cluster:Cluster", privateClusterConfig={"enablePrivateEndpoint": True})
AKS = a_resource("azure-native:containerservice:ManagedCluster", apiServerAccessProfile={"enablePrivateCluster": True})


@pytest.mark.parametrize(
    ("private", "switch", "public", "sources", "named", "everyone"),
    [
        (EKS, "vpcConfig.endpointPublicAccess", True, "vpcConfig.publicAccessCidrs", ["203.0.113.0/24"], ["0.0.0.0/0"]),
        (
            GKE,
            "privateClusterConfig.enablePrivateEndpoint",
            False,
            "masterAuthorizedNetworksConfig.cidrBlocks",
            [{"cidrBlock": "203.0.113.0/24"}],
            [{"cidrBlock": "0.0.0.0/0"}],
        ),
        (
            AKS,
            "apiServerAccessProfile.enablePrivateCluster",
            False,
            "apiServerAccessProfile.authorizedIPRanges",
            ["203.0.113.0/24"],
            ["0.0.0.0/0"],
        ),
    ],
    ids=["eks", "gke", "aks"],
)
def test_an_api_endpoint_is_private_or_names_who_may_connect(
    private: Resource, switch: str, public: Any, sources: str, named: list[Any], everyone: list[Any]
) -> None:
    opened = spoilt(private, switch, public)
    assert list(open_api_endpoint(private)) == []
    assert list(open_api_endpoint(opened)) != []
    assert list(open_api_endpoint(spoilt(opened, sources, named))) == []
    assert list(open_api_endpoint(spoilt(opened, sources, everyone))) != []


@pytest.mark.parametrize(
    ("private", "path", "public"),
    [
        (a_resource("aws:ec2/subnet:Subnet"), "mapPublicIpOnLaunch", True),
        (
            a_resource("aws:ec2/launchTemplate:LaunchTemplate"),
            "networkInterfaces",
            [{"associatePublicIpAddress": "true"}],
        ),
        (
            a_resource("gcp:container/nodePool:NodePool", networkConfig={"enablePrivateNodes": True}),
            "networkConfig.enablePrivateNodes",
            False,
        ),
        (a_resource("azure-native:containerservice:AgentPool"), "enableNodePublicIP", True),
        (
            a_resource("azure-native:containerservice:ManagedCluster", agentPoolProfiles=[{"name": "first"}]),
            "agentPoolProfiles.0.enableNodePublicIP",
            True,
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Resource) else "",
)
def test_nodes_with_public_addresses_are_refused(private: Resource, path: str, public: Any) -> None:
    assert list(public_node(private)) == []
    assert list(public_node(spoilt(private, path, public))) != []
