"""List prices in US dollars, on demand, without taxes, discounts or free tiers.

What the authors knew of the providers' public price lists in November 2026, for the regions below; not fetched from
them.  They change, and other regions cost up to a third more: look them up before you decide by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOURS: Final = 730
"""Hours of a month, as providers count them."""


@dataclass(frozen=True)
class Prices:
    """Per hour (``_hour``), month (``_month``), or GiB and month (``_gib``); ``sizes``: of machines, per hour."""

    region: str
    control_plane_hour: float
    sizes: dict[str, float]
    way_out_hour: float
    way_out_gib: float
    address_hour: float
    balancer_hour: float
    node_disk_gib: float
    volume_gib: float
    key_month: float
    log_gib: float
    spot_share: float = 0.35
    """What an interruptible machine costs of the full price, roughly; it moves by the hour."""


EKS: Final = Prices(
    region="us-east-1",
    control_plane_hour=0.10,
    sizes={"m7i.large": 0.1008, "m7i.xlarge": 0.2016, "m7g.large": 0.0816, "m7g.xlarge": 0.1632},
    way_out_hour=0.045,
    way_out_gib=0.045,
    address_hour=0.005,
    balancer_hour=0.0225,
    node_disk_gib=0.08,
    volume_gib=0.08,
    key_month=1.0,
    log_gib=0.50,
)
GKE: Final = Prices(
    region="us-central1",
    control_plane_hour=0.10,
    sizes={"e2-standard-2": 0.06701, "e2-standard-4": 0.13402, "e2-standard-8": 0.26805},
    # Cloud NAT is paid by machine, up to this much.
    way_out_hour=0.044,
    way_out_gib=0.045,
    address_hour=0.005,
    balancer_hour=0.025,
    node_disk_gib=0.10,
    volume_gib=0.10,
    key_month=0.06,
    log_gib=0.50,
)
AKS: Final = Prices(
    region="eastus",
    control_plane_hour=0.10,
    sizes={"Standard_D2s_v5": 0.096, "Standard_D4s_v5": 0.192, "Standard_D8s_v5": 0.384},
    way_out_hour=0.045,
    way_out_gib=0.045,
    address_hour=0.005,
    balancer_hour=0.025,
    # Managed disks are sold by size: P10, 128 GiB, is 19.71 a month.
    node_disk_gib=0.154,
    volume_gib=0.154,
    key_month=1.0,
    log_gib=2.76,
)
