"""A cluster on Amazon EKS."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from taskservice_infra.config.addresses import PrivateRange, expect_apart, expect_size
from taskservice_infra.config.cloud import AtLeastOne, CloudCluster, expect_sizes, expect_zones
from taskservice_infra.config.settings import Settings

Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
Principal = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+$")]


class EksAddresses(Settings):
    """Pods take addresses of the network's private subnets (VPC CNI), so it is wide."""

    network: PrivateRange = IPv4Network("10.20.0.0/16")
    services: PrivateRange = IPv4Network("172.20.0.0/16")
    connected: tuple[PrivateRange, ...] = ()
    """Networks that this one is, or will be, connected to: it must not overlap them."""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        expect_size("network", self.network, 16, 20)
        expect_size("services", self.services, 12, 24)
        named = [("network", self.network), ("services", self.services)]
        expect_apart([*named, *((f"connected[{index}]", each) for index, each in enumerate(self.connected))])
        return self


class EksCluster(CloudCluster):
    """``account_id``: the only account that anything is made in, whatever credentials are at hand."""

    provider: Literal["eks"]
    account_id: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    region: Region
    zones: Annotated[tuple[str, ...], AtLeastOne] = Field(max_length=3)
    addresses: EksAddresses = EksAddresses()
    administrators: Annotated[tuple[Principal, ...], AtLeastOne]
    """Roles or users with all rights in the cluster; whoever creates it gets none by that."""
    viewers: tuple[Principal, ...] = ()

    @model_validator(mode="after")
    def _places(self) -> Self:
        expect_zones(self.zones, self.high_availability, fewest=2)
        elsewhere = [zone for zone in self.zones if not zone.startswith(self.region) or len(zone) <= len(self.region)]
        if elsewhere:
            raise ValueError(f"zones: {', '.join(elsewhere)} is not in region {self.region}")
        expect_sizes(self.node_pools, r"[a-z]\w*[0-9]\w*(-flex)?\.\w+", "m7i.large")
        return self
