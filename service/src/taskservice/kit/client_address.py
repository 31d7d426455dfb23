"""Whose request it is, by address: only hops that we trust are believed when they say for whom they speak. Pure.

Each proxy appends the address it was spoken to from, so `X-Forwarded-For` is read from the right: the peer of the
connection is certain; if it is one of ours, the last entry is what it saw, and so on. What stands to the left of the
first stranger is what that stranger wrote, and worth nothing.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS = 16
IPV6_PREFIX = 64  # what one customer is given; single addresses of it cost nothing
UNKNOWN = "unknown"


@dataclass(frozen=True)
class ClientAddresses:
    """Finds the client of a request behind proxies of these networks."""

    trusted: Sequence[Network]

    def find(self, peer: str | None, forwarded: Sequence[str]) -> str:
        """The client's address, of an IPv6 client its network. `forwarded` are the values of the header, in order."""
        client = _parsed(peer or "")
        if client is None:
            return UNKNOWN
        entries = [entry for value in forwarded for entry in value.split(",")]
        for entry in reversed(entries[-MAX_HOPS:]):
            if not self._trusts(client):
                break
            before = _parsed(entry.strip())
            if before is None:
                break
            client = before
        if isinstance(client, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((client, IPV6_PREFIX), strict=False))
        return str(client)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted if network.version == address.version)


def _parsed(text: str) -> Address | None:
    """An address with or without a port; one of IPv4 in the clothes of IPv6 is taken for what it is."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
