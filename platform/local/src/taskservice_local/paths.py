"""Where things lie: the cache (rebuildable), the state (this machine's clusters) and the checkout."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taskservice_local.errors import LocalError

CHECKOUT = Path(__file__).resolve().parents[4]
PARTS_SOURCE = Path(__file__).resolve().parents[2] / "parts"
MANIFESTS = Path(__file__).resolve().parent / "manifests"

# Interface names hold 15 characters and are derived from the name, as is a cgroup and a socket path.
CLUSTER_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


def cache_root(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything that can be built again."""
    return _root(env, "TASKSERVICE_CACHE", "XDG_CACHE_HOME", ".cache")


def state_root(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of what the clusters of this machine are."""
    return _root(env, "TASKSERVICE_STATE", "XDG_STATE_HOME", ".local/state")


def _root(env: Mapping[str, str], own: str, xdg: str, fallback: str) -> Path:
    if env.get(own):
        return Path(env[own]).expanduser().absolute()
    base = Path(env[xdg]) if env.get(xdg) else Path.home() / fallback
    return base.absolute() / "taskservice"


@dataclass(frozen=True)
class ClusterPaths:
    """Every path of one cluster; all of them are gone after `down`."""

    name: str
    state: Path

    @classmethod
    def of(cls, env: Mapping[str, str] = os.environ) -> ClusterPaths:
        """Return the paths of the cluster named by TASKSERVICE_CLUSTER.

        Raises LocalError for a name that cannot name an interface, a cgroup and a namespace.
        """
        name = env.get("TASKSERVICE_CLUSTER") or "taskservice"
        if not CLUSTER_NAME.fullmatch(name):
            raise LocalError(
                f"TASKSERVICE_CLUSTER={name!r} cannot name a cluster: "
                "use up to 32 lower-case letters, digits and dashes."
            )
        return cls(name, state_root(env) / name)

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def kubeconfigs(self) -> Path:
        return self.state / "kubeconfigs"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def records(self) -> Path:
        return self.state / "processes.json"

    @property
    def run(self) -> Path:
        """Sockets and mounts: a short path, because a socket path holds 108 characters."""
        return Path("/run/taskservice") / self.name

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"
