"""A cluster on Google Kubernetes Engine."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from taskservice_infra.config.addresses import PrivateRange, expect_apart, expect_size
from taskservice_infra.config.cloud import AtLeastOne, CloudCluster, expect_sizes, expect_zones
from taskservice_infra.config.settings import Settings

NODES_MASK = 24
"""Prefix of the addresses that a node takes for its pods (up to 110 pods)."""


class GkeAddresses(Settings):
    """``nodes``: of the subnetwork; ``pods`` and ``services``: its secondary ranges; ``control_plane``: exactly /28."""

    nodes: PrivateRange = IPv4Network("10.30.0.0/20")
    pods: PrivateRange = IPv4Network("10.32.0.0/14")
    services: PrivateRange = IPv4Network("10.31.0.0/20")
    control_plane: PrivateRange = IPv4Network("172.16.0.0/28")
    connected: tuple[PrivateRange, ...] = ()
    """Networks that this one is, or will be, connected to: it must not overlap them."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        expect_size("nodes", self.nodes, 16, 24)
        expect_size("pods", self.pods, 9, 20)
        expect_size("services", self.services, 16, 24)
        expect_size("controlPlane", self.control_plane, 28, 28)
        named = [
            ("nodes", self.nodes),
            ("pods", self.pods),
            ("services", self.services),
            ("controlPlane", self.control_plane),
        ]
        expect_apart([*named, *((f"connected[{index}]", each) for index, each in enumerate(self.connected))])
        return self


class GkeCluster(CloudCluster):
    """``project``: of Google Cloud; the only one that anything is made in."""

    provider: Literal["gke"]
    project: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+\d+$")]
    zones: Annotated[tuple[str, ...], AtLeastOne] = Field(max_length=3)
    addresses: GkeAddresses = GkeAddresses()
    release_channel: Literal["REGULAR", "STABLE", "EXTENDED"] = "REGULAR"
    administrators_group: str | None = Field(default=None, pattern=r"^gke-security-groups@.+\..+$")
    """Google's group for RBAC; its member groups can be bound in the cluster."""

    @model_validator(mode="after")
    def _places(self) -> Self:
        expect_zones(self.zones, self.high_availability)
        elsewhere = [zone for zone in self.zones if not zone.startswith(f"{self.region}-")]
        if elsewhere:
            raise ValueError(f"zones: {', '.join(elsewhere)} is not in region {self.region}")
        expect_sizes(self.node_pools, r"[a-z]\d[a-z]?-[a-z]+-\d+(-\w+)?", "e2-standard-4")
        room = 2 ** (NODES_MASK - self.addresses.pods.prefixlen)
        wanted = sum(pool.maximum for pool in self.node_pools)
        if wanted > room:
            raise ValueError(f"nodePools may grow to {wanted} nodes, but addresses.pods has room for {room}")
        return self
