"""What this machine is and has: asked of it, never changed here except by `install`."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from taskservice_local.commands import run, succeeds
from taskservice_local.errors import LocalError
from taskservice_local.locks import only_one
from taskservice_local.paths import cache_root
from taskservice_local.progress import say, step


@dataclass(frozen=True)
class Need:
    """Something of the machine that the built cluster or the images need."""

    what: str
    path: str  # a program's name, or an absolute path
    package: str
    why: str


NEEDS: tuple[Need, ...] = (
    Need("containerd", "containerd", "containerd", "runs the pods"),
    Need("runc", "runc", "runc", "starts the containers"),
    Need("CNI plugins", "/usr/lib/cni/ptp", "containernetworking-plugins", "give pods their network"),
    Need("nft", "nft", "nftables", "carries Services (kube-proxy)"),
    Need("iptables", "iptables", "iptables", "carries host ports (CNI portmap)"),
    Need("conntrack", "conntrack", "conntrack", "lets kube-proxy forget stale connections"),
    Need("ip", "ip", "iproute2", "makes the network namespace"),
    Need("nsenter", "nsenter", "util-linux", "starts programs inside the network namespace"),
    Need("mount", "mount", "mount", "mounts the pods' volumes"),
    Need("CA certificates", "/etc/ssl/certs/ca-certificates.crt", "ca-certificates", "verify what is downloaded"),
)
IMAGE_NEEDS: tuple[Need, ...] = (
    Need("buildah", "buildah", "buildah", "builds images"),
    Need("mmdebstrap", "mmdebstrap", "mmdebstrap", "makes the local base image"),
)
TEST_NEEDS: tuple[Need, ...] = (
    Need("Redis", "redis-server", "redis-server", "tests of cache, limits and sessions"),
    Need("RabbitMQ", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server", "tests of events"),
    Need("Prometheus", "prometheus", "prometheus", "tests of rules, alerts and dashboards"),
    Need("Java", "java", "openjdk-17-jre-headless", "tests of events on Kafka"),
)
"""Servers that the integration tests start; a test whose server is absent is skipped and says so."""
MAVEN = Need("Maven", "mvn", "maven", "fetches Kafka, once")


class Machine:
    """The real machine; tests pass one of their own making."""

    @property
    def is_linux(self) -> bool:
        return platform.system() == "Linux"

    @property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    @property
    def has_apt(self) -> bool:
        return shutil.which("apt-get") is not None

    def has(self, path: str) -> bool:
        """Tell whether a program or file is there; system folders count even when PATH forgets them."""
        if path.startswith("/"):
            return Path(path).exists()
        return shutil.which(path, path=search_path()) is not None

    def docker_answers(self) -> bool:
        return shutil.which("docker") is not None and succeeds(["docker", "info"], timeout=20)

    def has_cgroups(self) -> bool:
        return Path("/sys/fs/cgroup/cgroup.controllers").exists() or Path("/sys/fs/cgroup/pids").is_dir()


def search_path() -> str:
    """Return PATH with the folders of system programs, which a plain user's PATH leaves out."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])


def program(name: str) -> str:
    """Return the path of a program of this machine. Raises LocalError when it is not there."""
    found = shutil.which(name, path=search_path())
    if found is None:
        raise LocalError(f"`{name}` is not on this machine: see `python -m taskservice_local doctor`.")
    return found


def available_memory() -> int:
    """Return the bytes that programs started now can use."""
    try:
        meminfo = Path("/proc/meminfo").read_text()
    except OSError:
        return 4 * 1024**3  # not Linux: two jobs are a safe guess
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 4 * 1024**3


def missing(needs: tuple[Need, ...], machine: Machine) -> list[Need]:
    """Return the needs that the machine does not meet."""
    return [need for need in needs if not machine.has(need.path)]


def install(needs: tuple[Need, ...], machine: Machine) -> None:
    """Install what is missing of the needs, after printing the list.

    Raises LocalError when something is missing and we are not root, or there is no apt.
    """
    absent = missing(needs, machine)
    if not absent:
        return
    packages = sorted({need.package for need in absent})
    command = f"apt-get install {' '.join(packages)}"
    if not machine.has_apt:
        raise LocalError(f"Missing on this machine: {', '.join(packages)}; install them by its own package manager.")
    if not machine.is_root:
        raise LocalError(f"Missing on this machine: {', '.join(packages)}; run `sudo {command}`.")
    say("Installing Debian packages that are missing:")
    for need in absent:
        say(f"  {need.package}: {need.why}")
    # Somebody else's apt is waited for, too.
    patient = ("-o", "DPkg::Lock::Timeout=300")
    apt: list[str | Path] = ["apt-get", "install", "--yes", "--no-install-recommends", *patient, *packages]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    # It lists packages under a lock that apt does not wait for.
    with only_one(cache_root() / "locks" / "apt.lock", "installing packages"), step("installing Debian packages"):
        try:
            run(apt, env=env)
        except LocalError:
            # The lists may be missing or too old for what the mirror still holds.
            run(["apt-get", "update"])
            run(apt, env=env, timeout=1200)
