"""What can be reached from outside: databases never, the Kubernetes API and load balancers from named networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from taskservice_infra.policy.model import UNKNOWN, Resource, entries

#: Ports of what keeps data or secrets here.
DATA_PORTS = {
    5432: "PostgreSQL",
    3306: "MySQL",
    27017: "MongoDB",
    6379: "Redis",
    26379: "Redis Sentinel",
    5672: "RabbitMQ",
    5671: "RabbitMQ",
    15672: "RabbitMQ management",
    9092: "Kafka",
    8200: "Vault",
    2379: "etcd",
}
#: Where a provider says "public" of a managed database, cache, broker or store, and the value that means it.
PUBLIC_SWITCHES: tuple[tuple[str, str, Any], ...] = (
    ("aws:rds/instance:Instance", "publiclyAccessible", True),
    ("aws:rds/clusterInstance:ClusterInstance", "publiclyAccessible", True),
    ("aws:mq/broker:Broker", "publiclyAccessible", True),
    ("aws:docdb/clusterInstance:ClusterInstance", "publiclyAccessible", True),
    ("gcp:sql/databaseInstance:DatabaseInstance", "settings.ipConfiguration.ipv4Enabled", True),
    ("azure-native:documentdb:DatabaseAccount", "publicNetworkAccess", "Enabled"),
    ("azure-native:cache:Redis", "publicNetworkAccess", "Enabled"),
    ("azure-native:redis:Redis", "publicNetworkAccess", "Enabled"),
    ("azure-native:dbforpostgresql:Server", "network.publicNetworkAccess", "Enabled"),
)
#: Stores are public unless every one of these is set.
BUCKET_BLOCK = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def is_everywhere(cidr: Any) -> bool:
    """True for a range that covers all addresses of a family, or half of them."""
    try:
        return ip_network(str(cidr), strict=False).prefixlen <= 1
    except ValueError:
        return False


def public_database(resource: Resource) -> Iterator[str]:
    """Refuse data that can be reached from outside: by a provider's switch, an open port, or a Service."""
    for token, path, public in PUBLIC_SWITCHES:
        if resource.type == token and resource.at(path) == public:
            yield f"{path} is {public!r}: the database can be reached from outside; make it private"
    if resource.type == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
        open_ = [switch for switch in BUCKET_BLOCK if resource.at(switch) is not True]
        if open_:
            yield f"{', '.join(open_)} must be true: nothing in a bucket is for the public"
    if resource.type == "gcp:storage/bucket:Bucket" and resource.at("publicAccessPrevention") != "enforced":
        yield 'publicAccessPrevention must be "enforced": nothing in a bucket is for the public'
    if resource.type == "azure-native:storage:StorageAccount" and resource.at("allowBlobPublicAccess") is not False:
        yield "allowBlobPublicAccess must be false: nothing in a store is for the public"
    for source, ports in _openings(resource):
        for port, what in DATA_PORTS.items():
            if any(first <= port <= last for first, last in ports):
                yield f"port {port} ({what}) is open to {source}; open it to the cluster's own networks"
    if resource.type == "kubernetes:core/v1:Service" and resource.at("spec.type") in {"LoadBalancer", "NodePort"}:
        for port in entries(resource.at("spec.ports")):
            number = port.get("port") if isinstance(port, Mapping) else None
            if number in DATA_PORTS:
                yield f"a Service of type {resource.at('spec.type')} offers port {number} ({DATA_PORTS[number]})"


def _openings(resource: Resource) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The pairs (range that covers everything, ports open to it) of a firewall rule."""
    if resource.type == "aws:ec2/securityGroup:SecurityGroup":
        for rule in entries(resource.at("ingress")):
            if isinstance(rule, Mapping):
                yield from _aws_opening(rule, entries(rule.get("cidrBlocks")))
    if resource.type == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
        yield from _aws_opening(resource.properties, (resource.at("cidrIpv4"), resource.at("cidrIpv6")))
    if resource.type == "gcp:compute/firewall:Firewall" and resource.at("direction") != "EGRESS":
        for source in filter(is_everywhere, entries(resource.at("sourceRanges"))):
            yield source, [span for rule in entries(resource.at("allows")) for span in _spans(rule.get("ports"))]
    if resource.type == "azure-native:network:NetworkSecurityGroup":
        for rule in entries(resource.at("securityRules")):
            source = rule.get("sourceAddressPrefix")
            inbound = rule.get("direction") == "Inbound" and rule.get("access") == "Allow"
            if inbound and (source in {"*", "Internet"} or is_everywhere(source)):
                yield source, _spans([rule.get("destinationPortRange"), *entries(rule.get("destinationPortRanges"))])


def _aws_opening(rule: Mapping[str, Any], ranges: Any) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    every = str(rule.get("protocol", rule.get("ipProtocol"))) == "-1"
    for source in filter(is_everywhere, ranges):
        first, last = rule.get("fromPort", 0), rule.get("toPort", 65535)
        yield source, [(0, 65535) if every else (int(first), int(last))]


def _spans(ports: Any) -> list[tuple[int, int]]:
    """``"80"``, ``"8000-9000"`` and ``"*"`` as pairs; no ports named means all."""
    listed = [str(port) for port in entries(ports) if port is not None]
    if not listed or "*" in listed:
        return [(0, 65535)]
    return [(int(first), int(last or first)) for first, _, last in (port.partition("-") for port in listed)]


def open_load_balancer(resource: Resource) -> Iterator[str]:
    """Refuse a load balancer that takes whoever comes: Services, and the Services that Envoy Gateway makes."""
    path = {
        "kubernetes:core/v1:Service": "spec",
        "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy": "spec.provider.kubernetes.envoyService",
    }.get(resource.type)
    if path is None or resource.at(path) in (None, UNKNOWN):
        return
    # Envoy Gateway's default is LoadBalancer, the API server's is ClusterIP.
    kind = resource.at(f"{path}.type") or ("ClusterIP" if path == "spec" else "LoadBalancer")
    ranges = resource.at(f"{path}.loadBalancerSourceRanges")
    if kind != "LoadBalancer" or ranges is UNKNOWN:
        return
    if not entries(ranges):
        yield f"{path}.loadBalancerSourceRanges is empty; name the networks that may connect"
    for cidr in filter(is_everywhere, entries(ranges)):
        yield f"{path}.loadBalancerSourceRanges has {cidr}; name the networks that may connect"


def open_api_endpoint(resource: Resource) -> Iterator[str]:
    """Refuse a cluster whose API server answers the whole internet."""
    if resource.type == "aws:eks/cluster:Cluster" and resource.at("vpcConfig.endpointPublicAccess") is not False:
        ranges = entries(resource.at("vpcConfig.publicAccessCidrs"))
        if not ranges or any(map(is_everywhere, ranges)):
            yield "the API endpoint is open to all; set apiAccess: private, or name authorizedNetworks"
    if resource.type == "gcp:container/cluster:Cluster":
        private = resource.at("privateClusterConfig.enablePrivateEndpoint") is True
        blocks = [block.get("cidrBlock") for block in entries(resource.at("masterAuthorizedNetworksConfig.cidrBlocks"))]
        if not private and (not blocks or any(map(is_everywhere, blocks))):
            yield "the API endpoint is open to all; set apiAccess: private, or name authorizedNetworks"
    if resource.type == "azure-native:containerservice:ManagedCluster":
        private = resource.at("apiServerAccessProfile.enablePrivateCluster") is True
        ranges = entries(resource.at("apiServerAccessProfile.authorizedIPRanges"))
        if not private and (not ranges or any(map(is_everywhere, ranges))):
            yield "the API endpoint is open to all; set apiAccess: private, or name authorizedNetworks"


def public_node(resource: Resource) -> Iterator[str]:
    """Refuse nodes with addresses of their own on the internet."""
    if resource.type == "aws:ec2/subnet:Subnet" and resource.at("mapPublicIpOnLaunch") is True:
        yield "mapPublicIpOnLaunch gives every machine a public address; leave it off"
    if resource.type == "aws:ec2/launchTemplate:LaunchTemplate":
        for interface in entries(resource.at("networkInterfaces")):
            if str(interface.get("associatePublicIpAddress")).lower() == "true":
                yield "associatePublicIpAddress gives every node a public address; leave it off"
    if (
        resource.type == "gcp:container/nodePool:NodePool"
        and resource.at("networkConfig.enablePrivateNodes") is not True
    ):
        yield "networkConfig.enablePrivateNodes must be true: nodes reach out through Cloud NAT"
    if resource.type == "azure-native:containerservice:AgentPool" and resource.at("enableNodePublicIP") is True:
        yield "enableNodePublicIP gives every node a public address; leave it off"
    if resource.type == "azure-native:containerservice:ManagedCluster":
        for pool in entries(resource.at("agentPoolProfiles")):
            if pool.get("enableNodePublicIP") is True:
                yield f"pool {pool.get('name')}: enableNodePublicIP gives every node a public address; leave it off"
