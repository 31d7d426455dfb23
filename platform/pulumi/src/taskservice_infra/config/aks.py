"""A cluster on Azure Kubernetes Service."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from taskservice_infra.config.addresses import PrivateRange, expect_apart, expect_size
from taskservice_infra.config.cloud import AtLeastOne, CloudCluster, expect_sizes, expect_zones
from taskservice_infra.config.settings import Settings

NODES_MASK = 24
"""Prefix of the addresses that a node takes for its pods in overlay mode (up to 250 pods)."""
Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class AksAddresses(Settings):
    """``network``: of the virtual network, whose subnet ``nodes`` holds the nodes; pods and services are an overlay."""

    network: PrivateRange = IPv4Network("10.40.0.0/16")
    nodes: PrivateRange = IPv4Network("10.40.0.0/20")
    api_server: PrivateRange = IPv4Network("10.40.16.0/28")
    """Subnet that the API server is put into."""
    pods: PrivateRange = IPv4Network("10.44.0.0/14")
    services: PrivateRange = IPv4Network("10.41.0.0/20")
    connected: tuple[PrivateRange, ...] = ()
    """Networks that this one is, or will be, connected to: it must not overlap them."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        expect_size("nodes", self.nodes, 16, 26)
        expect_size("apiServer", self.api_server, 24, 28)
        expect_size("pods", self.pods, 9, 20)
        expect_size("services", self.services, 16, 24)
        for name, subnet in (("nodes", self.nodes), ("apiServer", self.api_server)):
            if not subnet.subnet_of(self.network):
                raise ValueError(f"{name} ({subnet}) is not within network ({self.network})")
        expect_apart([("nodes", self.nodes), ("apiServer", self.api_server)])
        named = [("network", self.network), ("pods", self.pods), ("services", self.services)]
        expect_apart([*named, *((f"connected[{index}]", each) for index, each in enumerate(self.connected))])
        return self

    @property
    def dns_service(self) -> IPv4Address:
        """The address of cluster DNS: the tenth of the services, as AKS has it by default."""
        return self.services[10]


class AksCluster(CloudCluster):
    """``subscription_id`` and ``tenant_id``: the only place that anything is made in."""

    provider: Literal["aks"]
    subscription_id: Guid
    tenant_id: Guid
    location: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")]
    zones: Annotated[tuple[Literal["1", "2", "3"], ...], AtLeastOne] = Field(max_length=3)
    addresses: AksAddresses = AksAddresses()
    administrator_groups: Annotated[tuple[Guid, ...], AtLeastOne]
    """Object ids of Entra ID groups with all rights in the cluster; there are no local accounts."""

    @model_validator(mode="after")
    def _places(self) -> Self:
        expect_zones(self.zones, self.high_availability)
        expect_sizes(self.node_pools, r"Standard_[A-Z]+\d+[a-z]*(_v\d)?", "Standard_D4s_v5")
        first = self.node_pools[0]
        if not first.steady:
            raise ValueError(f"nodePools: {first.name} is the first, which runs the system: neither spot nor tainted")
        room = 2 ** (NODES_MASK - self.addresses.pods.prefixlen)
        wanted = sum(pool.maximum for pool in self.node_pools)
        if wanted > room:
            raise ValueError(f"nodePools may grow to {wanted} nodes, but addresses.pods has room for {room}")
        return self
