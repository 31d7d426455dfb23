"""The network of a GKE cluster: one subnetwork with ranges for pods and services, and Cloud NAT as its only way out."""

from __future__ import annotations

import pulumi
from pulumi_gcp import compute

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.gke import GkeCluster

PODS = "pods"
SERVICES = "services"


class GkeNetworkArgs(Args):
    cluster: GkeCluster


class GkeNetwork(pulumi.ComponentResource):
    """``network_id``, ``subnetwork_id``: self links; ``way_out``: must exist before the first node."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    way_out: pulumi.Resource

    def __init__(self, name: str, args: GkeNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:GkeNetwork", name, None, opts)
        cluster = args.cluster
        network = compute.Network(
            name,
            name=name,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=child_of(self),
        )
        subnetwork = compute.Subnetwork(
            name,
            name=name,
            network=network.id,
            region=cluster.region,
            ip_cidr_range=str(cluster.addresses.nodes),
            secondary_ip_ranges=[
                compute.SubnetworkSecondaryIpRangeArgs(range_name=PODS, ip_cidr_range=str(cluster.addresses.pods)),
                compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=SERVICES, ip_cidr_range=str(cluster.addresses.services)
                ),
            ],
            # Google's own services are reached without leaving its network.
            private_ip_google_access=True,
            log_config=compute.SubnetworkLogConfigArgs(
                aggregation_interval="INTERVAL_10_MIN", flow_sampling=0.5, metadata="INCLUDE_ALL_METADATA"
            ),
            opts=child_of(self),
        )
        router = compute.Router(name, name=name, network=network.id, region=cluster.region, opts=child_of(self))
        self.way_out = compute.RouterNat(
            name,
            name=name,
            router=router.name,
            region=cluster.region,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                compute.RouterNatSubnetworkArgs(name=subnetwork.id, source_ip_ranges_to_nats=["ALL_IP_RANGES"])
            ],
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=child_of(self),
        )
        self.network_id = network.id
        self.subnetwork_id = subnetwork.id
        self.register_outputs({"network_id": self.network_id, "subnetwork_id": self.subnetwork_id})
