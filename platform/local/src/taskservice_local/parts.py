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
    """What is built of one project: the programs out of one Go module, a folder with go.mod and go.sum.

    `home` names the folder of a module that several parts share, so that what they have in common is compiled once.
    """

    name: str
    module: str
    version: str
    programs: tuple[tuple[str, str], ...]  # (program, package)
    stamps: tuple[str, ...] = ()  # -X values of the linker
    data: tuple[str, ...] = ()  # folders of the module that are kept beside the programs
    tags: tuple[str, ...] = ()  # build tags
    generator: tuple[str, ...] = ()  # a package of the part that makes sources, and what it is told after the module
    home: str = ""

    @property
    def source(self) -> Path:
        return PARTS_SOURCE / (self.home or self.name)

    @cached_property
    def flags(self) -> tuple[str, ...]:
        ldflags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in self.stamps)])
        tags = ("-tags", ",".join(self.tags)) if self.tags else ()
        # The linker leaves out what debuggers read (-w): writing it costs compilers an eighth of their time.
        compilers = ("-gcflags=all=-dwarf=false",) if self.home == CLUSTER else ()
        return ("-trimpath", "-buildvcs=false", *compilers, "-ldflags", ldflags, *tags)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything that decides what the binaries are."""
        decisive = [self.flags, self.programs, *(each for each in (self.data, self.generator) if each)]
        digest = hashlib.sha256(json.dumps(decisive).encode())
        for source in sorted(self.source.rglob("*")):
            if source.suffix in {".mod", ".sum", ".go"}:
                name = str(source.relative_to(self.source))
                digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
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
# The module of all that a first cluster waits for. Its parts are of releases that agree on the libraries of Kubernetes:
# compiled apart, each of them would compile those libraries again.
CLUSTER = "cluster"

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
    home=CLUSTER,
)
ETCD = Part("etcd", "go.etcd.io/etcd/server/v3", "v3.6.14", (("etcd", "go.etcd.io/etcd/server/v3"),), home=CLUSTER)
PAUSE = Part("pause", "", "v1", (("pause", "."),))
COREDNS = Part("coredns", "github.com/coredns/coredns", "v1.14.7", (("coredns", "./coredns"),), home=CLUSTER)
METRICS_SERVER = Part(
    "metrics-server",
    "sigs.k8s.io/metrics-server",
    "v0.8.0",
    (("metrics-server", "./metrics-server"),),
    home=CLUSTER,
)
HELM = Part("helm", "helm.sh/helm/v4", "v4.1.4", (("helm", "helm.sh/helm/v4/cmd/helm"),), home=CLUSTER)
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
PULUMI = Part(
    "pulumi",
    "github.com/pulumi/pulumi/pkg/v3",
    "v3.259.0",
    (("pulumi", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"),),
    ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",),
)
PULUMI_KUBERNETES_RELEASE = "4.25.0"
"""What the module's version, a date, is the release of: the Python package `pulumi-kubernetes` has the same."""
PULUMI_KUBERNETES = Part(
    "pulumi-kubernetes",
    "github.com/pulumi/pulumi-kubernetes/provider/v4",
    "v4.0.0-20260115033456-f47bc2d6f199",
    (("pulumi-resource-kubernetes", "."),),
    (f"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version={PULUMI_KUBERNETES_RELEASE}",),
    generator=("./generate", PULUMI_KUBERNETES_RELEASE),
)
VAULT = Part(
    "vault",
    "github.com/hashicorp/vault",
    "v1.21.0",
    (("vault", "."),),
    tags=("minimal",),
)
OTELCOL_VERSION = "v0.140.0"
OTELCOL = Part(
    "otelcol",
    "go.opentelemetry.io/collector/otelcol",
    OTELCOL_VERSION,
    (("otelcol", "."),),
    (f"main.version={OTELCOL_VERSION}",),
)
LOKI = Part(
    "loki",
    "github.com/grafana/loki/v3",
    "v3.7.6",
    (("loki", "github.com/grafana/loki/v3/cmd/loki"),),
    ("github.com/grafana/loki/v3/pkg/util/build.Version=3.7.6",),
)
JAEGER_VERSION = "v1.76.0"
JAEGER = Part(
    "jaeger",
    "github.com/jaegertracing/jaeger",
    JAEGER_VERSION,
    (("jaeger", "."),),
    (
        f"main.version={JAEGER_VERSION}",
        f"github.com/jaegertracing/jaeger/internal/version.latestVersion={JAEGER_VERSION}",
    ),
)
MONGO_TOOLS_VERSION = "v0.0.0-20250715155915-887641268977"
MONGO_TOOLS = Part(
    "mongo-tools",
    "github.com/mongodb/mongo-tools",
    MONGO_TOOLS_VERSION,
    tuple((name, f"github.com/mongodb/mongo-tools/{name}/main") for name in ("mongodump", "mongorestore")),
    ("main.VersionStr=100.12.2+20250715",),
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
    PULUMI,
    PULUMI_KUBERNETES,
    VAULT,
    OTELCOL,
    LOKI,
    JAEGER,
    MONGO_TOOLS,
    KIND,
)
NEEDED_FOR_A_NODE = (PAUSE, ETCD, KUBERNETES)
NEEDED_AFTERWARDS = (COREDNS, METRICS_SERVER, HELM)
NEEDED_FOR_A_GATEWAY = (ENVOY_GATEWAY, RATELIMIT)
NEEDED_BY_THE_PLATFORM = (VAULT, MONGO_TOOLS, OTELCOL, JAEGER, LOKI, PULUMI, PULUMI_KUBERNETES)


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
