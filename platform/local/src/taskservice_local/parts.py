"""The catalogue of parts: what is built, from which module, into which programs.

The versions themselves are in each part's go.mod and go.sum, where Go verifies them; this page repeats only the one
that names the cache folder, and a unit test holds the two together.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taskservice_local.errors import LocalError
from taskservice_local.paths import PARTS_SOURCE, cache_root

GOARCH = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def target() -> str:
    """Return `<os>-<arch>` of this machine, in Go's words."""
    machine = platform.machine()
    return f"{platform.system().lower()}-{GOARCH.get(machine, machine)}"


@dataclass(frozen=True)
class Part:
    """One Go module of tools: a folder with go.mod and go.sum, and the programs it yields."""

    name: str
    module: str
    version: str
    programs: tuple[tuple[str, str], ...]  # (program, package)
    stamps: tuple[str, ...] = ()  # -X values of the linker
    data: tuple[str, ...] = ()  # folders of the module that are kept beside the programs

    @property
    def source(self) -> Path:
        return PARTS_SOURCE / self.name

    @cached_property
    def flags(self) -> tuple[str, ...]:
        ldflags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in self.stamps)])
        return ("-trimpath", "-buildvcs=false", "-ldflags", ldflags)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything that decides what the binaries are."""
        decisive = [self.flags, self.programs, *([self.data] if self.data else [])]
        digest = hashlib.sha256(json.dumps(decisive).encode())
        for source in sorted(self.source.glob("*")):
            if source.suffix in {".mod", ".sum", ".go"}:
                digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Return the folder in the cache that holds the finished part."""
        return cache_root() / "parts" / self.name / f"{self.version}-{target()}-{self.fingerprint}"

    def binary(self, program: str) -> Path:
        return self.folder / "bin" / program

    def kept(self, folder: str) -> Path:
        """Return where a folder of `data` lies once the part is built."""
        return self.folder / "data" / folder

    @property
    def built(self) -> bool:
        # The folder appears by one rename, whole or not at all.
        return self.folder.is_dir()


def _version_stamps(version: str) -> tuple[str, ...]:
    major, minor, _ = version.removeprefix("v").split(".")
    values = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "module",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"{package}.{key}={value}" for package in packages for key, value in values.items())


KUBERNETES_VERSION = "v1.35.8"

KUBERNETES = Part(
    "kubernetes",
    "k8s.io/kubernetes",
    KUBERNETES_VERSION,
    tuple(
        (name, f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubeadm",
            "kubectl",
            "kubelet",
        )
    ),
    _version_stamps(KUBERNETES_VERSION),
)
ETCD = Part("etcd", "go.etcd.io/etcd/server/v3", "v3.6.14", (("etcd", "go.etcd.io/etcd/server/v3"),))
PAUSE = Part("pause", "", "v1", (("pause", "."),))
COREDNS = Part("coredns", "github.com/coredns/coredns", "v1.14.7", (("coredns", "."),))
METRICS_SERVER = Part(
    "metrics-server",
    "sigs.k8s.io/metrics-server",
    "v0.9.0",
    (("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),),
)
HELM = Part("helm", "helm.sh/helm/v4", "v4.2.4", (("helm", "helm.sh/helm/v4/cmd/helm"),))
ENVOY_GATEWAY = Part(
    "envoy-gateway",
    "github.com/envoyproxy/gateway",
    "v1.9.0",
    (("envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway"),),
    ("github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion=v1.9.0",),
    ("charts/gateway-crds-helm", "charts/gateway-helm"),
)
RATELIMIT = Part(
    "ratelimit",
    "github.com/envoyproxy/ratelimit",
    "v1.4.1-0.20260122083618-3fb702589d36",
    (("ratelimit", "github.com/envoyproxy/ratelimit/src/service_cmd"),),
)
KIND = Part("kind", "sigs.k8s.io/kind", "v0.32.0", (("kind", "sigs.k8s.io/kind"),))

# In the order in which the built cluster needs them.
CATALOGUE: tuple[Part, ...] = (
    PAUSE,
    ETCD,
    KUBERNETES,
    COREDNS,
    METRICS_SERVER,
    HELM,
    ENVOY_GATEWAY,
    RATELIMIT,
    KIND,
)
NEEDED_FOR_A_NODE = (PAUSE, ETCD, KUBERNETES)
NEEDED_AFTERWARDS = (COREDNS, METRICS_SERVER, HELM)
NEEDED_FOR_A_GATEWAY = (ENVOY_GATEWAY, RATELIMIT)


def part_named(name: str) -> Part:
    """Return the part of that name. Raises LocalError when there is none."""
    for part in CATALOGUE:
        if part.name == name:
            return part
    raise LocalError(f"No part is called {name!r}; the parts are {', '.join(part.name for part in CATALOGUE)}.")


def part_of(program: str) -> Part:
    """Return the part that yields a program. Raises LocalError when none does."""
    for part in CATALOGUE:
        if program in dict(part.programs):
            return part
    known = ", ".join(name for part in CATALOGUE for name, _ in part.programs)
    raise LocalError(f"No part yields a program called {program!r}; there are {known}.")
