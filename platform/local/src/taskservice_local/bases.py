"""Base images made from Debian packages by mmdebstrap, for machines that reach no image registry."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from taskservice_local import machine
from taskservice_local.archives import write_rootfs_image
from taskservice_local.commands import run
from taskservice_local.locks import only_one
from taskservice_local.parts import target
from taskservice_local.paths import cache_root
from taskservice_local.progress import step

SUITE = "bookworm"
# Nobody reads manuals in a container.
EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Base:
    """A minimal Debian with some packages, under a name; with variant `extract` the packages' files and no more."""

    name: str
    repository: str
    tag: str
    packages: tuple[str, ...]
    variant: str = "minbase"
    dropped: tuple[str, ...] = ()  # absolute paths of what the packages bring and nobody needs

    @property
    def key(self) -> str:
        decisive: list[object] = [SUITE, EXCLUDED, self.packages, target()]
        decisive += [] if self.variant == "minbase" else [self.variant]
        decisive += [self.dropped] if self.dropped else []
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}-{self.key}"

    @property
    def archive(self) -> Path:
        return cache_root() / "images" / self.name / f"{self.key}.tar"

    def ensure(self) -> Path:
        """Return the base's archive, making it the first time. Raises LocalError when mmdebstrap fails."""
        if self.archive.exists():
            return self.archive
        machine.install(machine.IMAGE_NEEDS, machine.Machine())
        with only_one(cache_root() / "locks" / f"base-{self.name}.lock", f"making {self.name}"):
            if not self.archive.exists():
                self._make()
        return self.archive

    def _make(self) -> None:
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        rootfs = self.archive.with_name(f".rootfs-{os.getpid()}.tar")
        options = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
        if self.dropped:
            # What is only extracted does not pass through dpkg.
            options.append("--extract-hook=rm -rf " + " ".join(f'"$1"{path}' for path in self.dropped))
        command: list[str | Path] = [
            "mmdebstrap",
            "--quiet",
            f"--variant={self.variant}",
            f"--include={','.join(self.packages)}",
            *options,
            SUITE,
            rootfs,
        ]
        try:
            with step(f"making the base image {self.repository}:{self.tag} (Debian {SUITE})"):
                run(command, env={"SOURCE_DATE_EPOCH": "0"})
                references = [f"{self.repository}:{self.tag}", self.reference]
                write_rootfs_image(rootfs, references, target().partition("-")[2], self.archive)
        finally:
            rootfs.unlink(missing_ok=True)


PYTHON_BASE = Base(
    "python-base",
    "docker.io/local/python",
    "3.11",
    ("ca-certificates", "python3", "python3-pip", "python3-venv"),
)
MONGOD_BASE = Base("mongod-base", "docker.io/local/mongod-base", "12", ("ca-certificates", "libcurl4", "libssl3"))
REDIS_BASE = Base("redis-base", "docker.io/local/redis-base", "7.0", ("ca-certificates", "redis-server"))
RABBITMQ_BASE = Base("rabbitmq-base", "docker.io/local/rabbitmq-base", "3.10", ("ca-certificates", "rabbitmq-server"))
# Extracted: its installation wants the folders of manuals. What it leaves out are links in /usr/bin.
JAVA_BASE = Base("java-base", "docker.io/local/java", "17", ("openjdk-17-jre-headless",), "extract")
# Envoy needs the C library and nothing else: no shell, no package manager.
ENVOY_BASE = Base("envoy-base", "docker.io/local/envoy-base", "12", ("libc6",), "extract")
# Programs of Go, which need no more of Debian than they bring along.
PROMETHEUS_BASE = Base(
    "prometheus-base",
    "docker.io/local/prometheus-base",
    "2.42",
    ("prometheus",),
    "extract",
    ("/usr/share/javascript/moment-timezone/data", "/usr/share/perl"),  # every time zone, in every version, unpacked
)
ALERTMANAGER_BASE = Base(
    "alertmanager-base", "docker.io/local/alertmanager-base", "0.25", ("prometheus-alertmanager",), "extract"
)
BASES = (
    PYTHON_BASE,
    MONGOD_BASE,
    REDIS_BASE,
    RABBITMQ_BASE,
    JAVA_BASE,
    ENVOY_BASE,
    PROMETHEUS_BASE,
    ALERTMANAGER_BASE,
)
