"""From a stack's settings to what it costs a month, at its smallest and at its largest."""

from __future__ import annotations

from dataclasses import dataclass

from taskservice_infra.config.aks import AksCluster
from taskservice_infra.config.cloud import CloudCluster, NodePool
from taskservice_infra.config.eks import EksCluster
from taskservice_infra.config.gke import GkeCluster
from taskservice_infra.costs.prices import AKS, EKS, GKE, HOURS, Prices


@dataclass(frozen=True)
class Use:
    """What is assumed of a stack's use in a month: GiB that leave, GiB of the control plane's logs, GiB of volumes."""

    leaving_gib: int
    logs_gib: int
    volumes_gib: int


@dataclass(frozen=True)
class Item:
    """One line: ``least`` with every pool at its minimum, ``most`` with every pool at its maximum; dollars a month."""

    what: str
    least: float
    most: float


def prices_of(cluster: CloudCluster) -> Prices:
    """The list prices of the cluster's cloud."""
    match cluster:
        case EksCluster():
            return EKS
        case GkeCluster():
            return GKE
        case AksCluster():
            return AKS
        case _:
            raise AssertionError(f"no prices for {type(cluster).__name__}")


def estimate(cluster: CloudCluster, use: Use) -> list[Item]:
    """The lines of a stack's month.  Raises KeyError for a size without a price."""
    prices = prices_of(cluster)
    ways_out = (
        len(getattr(cluster, "zones", ())) if cluster.high_availability and isinstance(cluster, EksCluster) else 1
    )
    free = isinstance(cluster, AksCluster) and not cluster.high_availability
    control_plane = 0.0 if free else prices.control_plane_hour * HOURS
    way_out = ways_out * (prices.way_out_hour + prices.address_hour) * HOURS + use.leaving_gib * prices.way_out_gib
    nodes = [_nodes(pool, prices) for pool in cluster.node_pools]
    disks = prices.node_disk_gib
    return [
        Item("control plane", control_plane, control_plane),
        Item("nodes", sum(least for least, _ in nodes), sum(most for _, most in nodes)),
        Item(
            "disks of nodes",
            sum(pool.minimum * pool.disk_gib * disks for pool in cluster.node_pools),
            sum(pool.maximum * pool.disk_gib * disks for pool in cluster.node_pools),
        ),
        Item("volumes", use.volumes_gib * prices.volume_gib, use.volumes_gib * prices.volume_gib),
        Item("way out", way_out, way_out),
        Item("load balancer", prices.balancer_hour * HOURS, prices.balancer_hour * HOURS),
        Item("keys and logs", *(2 * [2 * prices.key_month + use.logs_gib * prices.log_gib])),
    ]


def _nodes(pool: NodePool, prices: Prices) -> tuple[float, float]:
    month = prices.sizes[pool.size] * HOURS * (prices.spot_share if pool.spot else 1)
    return pool.minimum * month, pool.maximum * month


def total(items: list[Item]) -> Item:
    """The sum of the lines."""
    return Item("all", sum(item.least for item in items), sum(item.most for item in items))
