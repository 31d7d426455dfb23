"""The cluster's own network: a namespace, a cable to the host, and address ranges that clash with nothing.

The host does not forward, so nothing in the namespace reaches beyond the machine; the host itself has routes for pods
and Services through the cable, so that any process on it can talk to both. Removing the namespace removes every rule
and every interface in it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taskservice_local.commands import run, succeeds
from taskservice_local.errors import LocalError
from taskservice_local.locks import only_one

NETNS_FOLDER = Path("/run/netns")
MACHINE_LOCK = Path("/run/taskservice/networks.lock")
INDEXES = 16  # clusters on one machine; each range below is cut into that many

Network = ipaddress.IPv4Network


@dataclass(frozen=True)
class NetworkPlan:
    """Names and ranges of one cluster's network; all follow from its label and its index."""

    label: str
    index: int

    @property
    def namespace(self) -> Path:
        return NETNS_FOLDER / self.label

    @property
    def host_link(self) -> str:
        # An interface's name holds 15 characters, a cluster's more.
        return "ts-" + hashlib.sha256(self.label.encode()).hexdigest()[:8]

    @property
    def cable(self) -> Network:
        return Network(f"10.240.{self.index}.0/30")

    @property
    def pods(self) -> Network:
        return Network(f"10.241.{self.index * 4}.0/22")

    @property
    def services(self) -> Network:
        return Network(f"10.242.{self.index * 16}.0/20")

    @property
    def host_address(self) -> str:
        return str(self.cable[1])

    @property
    def node_address(self) -> str:
        return str(self.cable[2])

    @property
    def dns_address(self) -> str:
        return str(self.services[10])

    @property
    def ranges(self) -> tuple[Network, Network, Network]:
        return (self.cable, self.pods, self.services)


def choose_index(label: str, taken: Iterable[int], routes: Iterable[Network]) -> int:
    """Return the lowest index that no cluster holds and whose ranges clash with no route of the host.

    Raises LocalError when there is none left.
    """
    held, known = set(taken), list(routes)
    for index in range(INDEXES):
        plan = NetworkPlan(label, index)
        if index not in held and not any(ours.overlaps(route) for ours in plan.ranges for route in known):
            return index
    raise LocalError(
        f"All {INDEXES} address ranges under 10.240.0.0/14 are in use; "
        "take a cluster down, or remove a route (`ip route`)."
    )


def parse_routes(text: str, own_link: str) -> list[Network]:
    """Return the destinations out of `ip -json -4 route`, without default routes and those of `own_link`."""
    found: list[Network] = []
    for route in json.loads(text or "[]"):
        if route["dst"] != "default" and route.get("dev") != own_link:
            found.append(Network(route["dst"], strict=False))
    return found


def ensure_plan(label: str, file: Path) -> NetworkPlan:
    """Return the plan written in `file`, choosing and writing one the first time."""
    if not file.exists():
        with only_one(MACHINE_LOCK, "choosing a network"):
            others = [path for path in file.parent.parent.glob(f"*/{file.name}") if path != file]
            taken = [json.loads(path.read_text())["index"] for path in others]
            routes = parse_routes(run(["ip", "-json", "-4", "route"]), NetworkPlan(label, 0).host_link)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"index": choose_index(label, taken, routes)}))
    return NetworkPlan(label, json.loads(file.read_text())["index"])


def inside(plan: NetworkPlan, argv: list[str]) -> list[str]:
    """Return the command that runs `argv` in the namespace.

    Not `ip netns exec`: that remounts /sys and so hides the cgroups from kubelet and runc.
    """
    return ["nsenter", f"--net={plan.namespace}", "--", *argv]


def exists(plan: NetworkPlan) -> bool:
    """Tell whether the namespace is there and usable (after a crash its file may be left without one)."""
    return plan.namespace.exists() and succeeds([*inside(plan, ["ip", "link", "show", "eth0"])])


def create(plan: NetworkPlan) -> None:
    """Make the namespace, the cable and the routes; what is left of an earlier one goes first."""
    remove(plan)
    name, host = plan.label, plan.host_link
    run(["ip", "netns", "add", name])
    run(["ip", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", name])
    run(["ip", "address", "add", f"{plan.host_address}/30", "dev", host])
    run(["ip", "link", "set", host, "up"])
    script = f"""set -e
ip link set lo up
ip address add {plan.node_address}/30 dev eth0
ip link set eth0 up
ip route add default via {plan.host_address}
echo 1 > /proc/sys/net/ipv4/ip_forward
"""
    run([*inside(plan, ["sh", "-c", script])])
    for network in (plan.pods, plan.services):
        run(["ip", "route", "add", str(network), "via", plan.node_address, "dev", host])


def remove(plan: NetworkPlan) -> None:
    """Remove the cable and the namespace, with all that lives in it; does nothing where there is nothing."""
    if (Path("/sys/class/net") / plan.host_link).exists():
        run(["ip", "link", "delete", plan.host_link])
    if plan.namespace.exists():
        run(["ip", "netns", "delete", plan.label])


def connects(address: str, port: int) -> bool:
    """Tell whether something accepts TCP connections there."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def conflist(plan: NetworkPlan, data: Path) -> str:
    """Return the CNI configuration of the cluster's pods.

    `ptp` rather than `bridge`: every packet is routed, so the answer of a pod on the same node passes the rules that
    undo a Service's address translation whether or not the machine has br_netfilter.
    """
    pods = {
        "type": "ptp",
        "mtu": 1500,
        "ipMasq": False,  # the host has a route back to every pod
        "ipam": {
            "type": "host-local",
            "dataDir": str(data),
            "ranges": [[{"subnet": str(plan.pods)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": plan.label, "plugins": [pods, ports]}, indent=2)
