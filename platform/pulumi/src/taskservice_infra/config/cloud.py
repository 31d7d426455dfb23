"""What the settings of all cloud clusters have in common: version, nodes, access, who uses which cloud identity."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from taskservice_infra.config.addresses import SourceRange
from taskservice_infra.config.settings import Settings

VERSIONS: Final = ("1.34", "1.35", "1.36", "1.37")
"""Kubernetes versions that the operator is tested with."""
NODES_OF_HIGH_AVAILABILITY: Final = 3
"""Three members of a replica set on three nodes: one node may be lost, or replaced, at any time."""

PoolName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,10}[a-z0-9]$")]
"""What all three clouds accept as a pool's name."""
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$")]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,63}$")]
"""Of a resource in a cloud; the characters that all three accept."""


def _at_least_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("at least one is needed")
    return values


AtLeastOne = AfterValidator(_at_least_one)
"""Of a tuple; unlike a minimum length it is silent while one of the items is what is wrong."""


class Taint(Settings):
    """Keeps pods off a pool's nodes unless they tolerate it."""

    key: Label
    value: str = Field(default="", max_length=63)
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class NodePool(Settings):
    """Nodes of one size.  ``minimum`` and ``maximum`` count the whole pool, over all zones."""

    name: PoolName
    size: str = Field(min_length=1)
    """The cloud's own name of a machine's size."""
    minimum: int = Field(ge=0, le=1000)
    maximum: int = Field(ge=1, le=1000)
    disk_gib: int = Field(default=100, ge=30, le=2048)
    spot: bool = False
    """Cheaper machines that the cloud may take away at any time: for what can be interrupted."""
    labels: dict[Label, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum}) is more than maximum ({self.maximum})")
        return self

    @property
    def steady(self) -> bool:
        """Any pod may run here, and the cloud does not take the nodes away."""
        return not self.spot and not self.taints


class ServiceAccount(Settings):
    """A ServiceAccount whose pods get an identity in the cloud."""

    namespace: ObjectName
    name: ObjectName


class CloudCluster(Settings):
    """``name``: of the cluster, and the beginning of the name of everything that belongs to it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$")]
    version: Literal["1.34", "1.35", "1.36", "1.37"]
    high_availability: bool = True
    """Three zones and three steady nodes at least; one way out per zone."""
    api_access: Literal["private", "restricted"] = "private"
    """``private``: the API server has no address on the internet; run the programs from within the network.
    ``restricted``: it has one, for ``authorizedNetworks``."""
    authorized_networks: tuple[SourceRange, ...] = ()
    node_pools: Annotated[tuple[NodePool, ...], AtLeastOne] = Field(max_length=20)
    unseal: ServiceAccount = ServiceAccount(namespace="secrets", name="vault")
    """Whose pods may use the key that unseals the store of secrets."""
    log_retention_days: Literal[30, 60, 90, 180, 365] = 90
    deletion_protection: bool = True
    """Refuse to delete the cluster; set it to false and run `up` before a teardown."""
    tags: dict[Tag, Tag] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _access(self) -> Self:
        if self.api_access == "restricted" and not self.authorized_networks:
            raise ValueError("apiAccess is restricted, so authorizedNetworks must name who may connect")
        if self.api_access == "private" and self.authorized_networks:
            raise ValueError("apiAccess is private, so authorizedNetworks would have no effect; remove one of the two")
        return self

    @model_validator(mode="after")
    def _pools(self) -> Self:
        names = [pool.name for pool in self.node_pools]
        if len(set(names)) != len(names):
            raise ValueError("two nodePools have the same name")
        steady = sum(pool.minimum for pool in self.node_pools if pool.steady)
        needed = NODES_OF_HIGH_AVAILABILITY if self.high_availability else 1
        if steady < needed:
            raise ValueError(
                f"nodePools keep {steady} steady nodes (neither spot nor tainted) at least, and {needed} are needed"
                + (": raise minimum, or set highAvailability to false" if self.high_availability else "")
            )
        return self


def expect_zones(zones: Iterable[str], high_availability: bool, fewest: int = 1) -> None:
    """Return when the zones are distinct and enough; ``fewest``: that the cloud takes.  Raises ValueError."""
    listed = list(zones)
    if len(set(listed)) != len(listed):
        raise ValueError("a zone is named twice")
    needed = 3 if high_availability else fewest
    if len(listed) < needed:
        why = "with highAvailability" if high_availability else "by this cloud"
        raise ValueError(f"{len(listed)} zones are named, and {needed} are needed {why}")


def expect_sizes(pools: Iterable[NodePool], pattern: str, example: str) -> None:
    """Return when every pool's size looks like one of the cloud's.  Raises ValueError."""
    for pool in pools:
        if not re.fullmatch(pattern, pool.size):
            raise ValueError(f"nodePools: {pool.name} has size {pool.size!r}; sizes here look like {example}")
