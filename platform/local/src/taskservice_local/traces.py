"""Files that the parts write to fixed places outside the cluster's folders: ours are found and removed.

Nothing here touches a file that another cluster, or the machine's own containerd or kubelet, may be using.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from pathlib import Path

from taskservice_local.paths import ClusterPaths

CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


def shim_sockets(paths: ClusterPaths) -> list[Path]:
    """Return the sockets of this cluster's containerd-shims, which lie in a folder shared by all of the machine."""
    found: list[Path] = []
    for file in (paths.run / "containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        address = file.read_text().strip()
        if address.startswith("unix:///run/containerd/s/"):
            found.append(Path(address.removeprefix("unix://")))
    return found


def remove(paths: ClusterPaths, label: str) -> None:
    """Remove the CNI plugins' results of our network, the links to our pods' logs, and kubelet's fixed socket."""
    for result in CNI_RESULTS.glob(f"{label}-*-eth0"):
        container = result.name.removeprefix(f"{label}-").removesuffix("-eth0")
        # One label may begin another: what follows ours must be a container's id.
        if CONTAINER_ID.fullmatch(container):
            result.unlink(missing_ok=True)
            (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
    _remove_dead_socket(DEVICE_PLUGINS / "kubelet.sock")
    if CONTAINER_LOGS.is_dir():
        for link in CONTAINER_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(paths.state):
                link.unlink()


def _remove_dead_socket(path: Path) -> None:
    """Remove a socket at which nobody listens any more, and the folders that it leaves empty."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent):
                with suppress(OSError):  # not empty: somebody else's
                    folder.rmdir()
