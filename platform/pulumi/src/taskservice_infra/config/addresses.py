"""Ranges of addresses of a cloud cluster: private, apart from each other, and cut into one part per zone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from itertools import combinations
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

SMALLEST_SOURCE = 16
"""A source network of the API endpoint is no wider than this prefix: 65 536 addresses."""

# RFC 1918, and RFC 6598 as managed Kubernetes uses it for pods.
_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
ZONES_IN_NETWORK = 3
"""A network is cut into four: one quarter for the nodes of each zone, the last for what faces outwards."""


def _network(given: object) -> IPv4Network:
    try:
        return IPv4Network(str(given))
    except (AddressValueError, NetmaskValueError):
        raise ValueError(f"{given!r} is no IPv4 range; write it like 10.20.0.0/16") from None
    except ValueError:
        proper = IPv4Network(str(given), strict=False)
        raise ValueError(f"{given!r} has bits beyond its prefix; {proper} is meant?") from None


def _private(given: object) -> IPv4Network:
    network = _network(given)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(f"{network} is not private; take it from {', '.join(map(str, _PRIVATE))}")
    return network


def _source(given: object) -> IPv4Network:
    network = _network(given)
    if network.prefixlen < SMALLEST_SOURCE:
        raise ValueError(f"{network} is too wide for a source; name networks of /{SMALLEST_SOURCE} or smaller")
    return network


_as_text = PlainSerializer(str, return_type=str)
PrivateRange = Annotated[IPv4Network, BeforeValidator(_private), _as_text]
"""A range of private addresses, as ``10.20.0.0/16``."""
SourceRange = Annotated[IPv4Network, BeforeValidator(_source), _as_text]
"""A range that may connect from outside, as ``203.0.113.0/24``."""


def expect_apart(ranges: Iterable[tuple[str, IPv4Network]]) -> None:
    """Return when no two of the named ranges overlap.  Raises ValueError that names the first two that do."""
    for (one, first), (other, second) in combinations(ranges, 2):
        if first.overlaps(second):
            raise ValueError(f"{one} ({first}) and {other} ({second}) overlap")


def expect_size(name: str, network: IPv4Network, widest: int, narrowest: int) -> None:
    """Return when the prefix is within bounds.  Raises ValueError."""
    if not widest <= network.prefixlen <= narrowest:
        raise ValueError(f"{name} ({network}) must be between /{widest} and /{narrowest}")


@dataclass(frozen=True)
class ZoneRanges:
    """``private``: of nodes and pods; ``public``: of NAT gateways and load balancers."""

    zone: str
    private: IPv4Network
    public: IPv4Network


def by_zone(network: IPv4Network, zones: Iterable[str]) -> list[ZoneRanges]:
    """Cut a network for up to three zones: a quarter each for nodes and pods, a sixteenth each facing outwards.

    The cut depends on a zone's place only, so a third zone can be added later without moving the first two.
    """
    quarters = list(network.subnets(prefixlen_diff=2))
    outward = list(quarters[-1].subnets(prefixlen_diff=2))
    return [
        ZoneRanges(zone, private, public)
        for zone, private, public in zip(zones, quarters[:ZONES_IN_NETWORK], outward, strict=False)
    ]
