"""The network of an AKS cluster: nodes and API server in subnets of their own, one NAT gateway as the only way out."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import network

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.aks import AksCluster


class AksNetworkArgs(Args):
    cluster: AksCluster
    group: pulumi.Output[str]
    tags: dict[str, str]


class AksNetwork(pulumi.ComponentResource):
    """``nodes``, ``api_server``: identifiers of the two subnets; ``network_id``: of the whole."""

    network_id: pulumi.Output[str]
    nodes: pulumi.Output[str]
    api_server: pulumi.Output[str]

    def __init__(self, name: str, args: AksNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:AksNetwork", name, None, opts)
        cluster = args.cluster
        address = network.PublicIPAddress(
            f"{name}-out",
            resource_group_name=args.group,
            location=cluster.location,
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            zones=list(cluster.zones),
            tags=args.tags,
            opts=child_of(self),
        )
        out = network.NatGateway(
            f"{name}-out",
            resource_group_name=args.group,
            location=cluster.location,
            sku=network.NatGatewaySkuArgs(name=network.NatGatewaySkuName.STANDARD),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            idle_timeout_in_minutes=10,
            tags=args.tags,
            opts=child_of(self),
        )
        whole = network.VirtualNetwork(
            name,
            resource_group_name=args.group,
            location=cluster.location,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(cluster.addresses.network)]),
            tags=args.tags,
            # Subnets are resources of their own.
            opts=child_of(self, ignore_changes=["subnets"]),
        )
        nodes = network.Subnet(
            f"{name}-nodes",
            resource_group_name=args.group,
            virtual_network_name=whole.name,
            subnet_name="nodes",
            address_prefix=str(cluster.addresses.nodes),
            nat_gateway=network.SubResourceArgs(id=out.id),
            default_outbound_access=False,
            service_endpoints=[network.ServiceEndpointPropertiesFormatArgs(service="Microsoft.KeyVault")],
            opts=child_of(self),
        )
        # Azure changes the subnets of one network one at a time.
        api_server = network.Subnet(
            f"{name}-api-server",
            resource_group_name=args.group,
            virtual_network_name=whole.name,
            subnet_name="api-server",
            address_prefix=str(cluster.addresses.api_server),
            default_outbound_access=False,
            delegations=[network.DelegationArgs(name="aks", service_name="Microsoft.ContainerService/managedClusters")],
            opts=child_of(self, depends_on=[nodes]),
        )
        self.network_id, self.nodes, self.api_server = whole.id, nodes.id, api_server.id
        self.register_outputs({"network_id": self.network_id, "nodes": self.nodes, "api_server": self.api_server})
