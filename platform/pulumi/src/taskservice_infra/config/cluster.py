"""Project ``cluster``: where the cluster comes from, and the namespaces in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from taskservice_infra.config.aks import AksCluster
from taskservice_infra.config.eks import EksCluster
from taskservice_infra.config.gke import GkeCluster
from taskservice_infra.config.settings import Settings

PodSecurityLevel = Literal["restricted", "baseline", "privileged"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A name of Kubernetes objects (RFC 1123 label)."""

NAMESPACES: dict[str, PodSecurityLevel] = {
    "taskservice-system": "restricted",
    "secrets": "restricted",
    "data": "restricted",
    "observability": "restricted",
    # For what reads the log folders of nodes, and for nothing else.
    "observability-nodes": "privileged",
    "envoy-gateway-system": "restricted",
    "apps": "restricted",
}


class LocalCluster(Settings):
    """A cluster on this machine, whichever can be had: kind with Docker, else one that is built from source."""

    provider: Literal["local"]


class KindCluster(Settings):
    """A kind cluster on this machine; Docker must answer."""

    provider: Literal["kind"]


class ExistingCluster(Settings):
    """A cluster that is there already.  ``context`` must be the current one: nothing is done to another cluster."""

    provider: Literal["existing"]
    context: str = Field(min_length=1)
    kubeconfig: str | None = None
    """Path of a kubeconfig; without it ``$KUBECONFIG``, else ``~/.kube/config``."""


Kubernetes = Annotated[
    LocalCluster | KindCluster | ExistingCluster | EksCluster | GkeCluster | AksCluster,
    Field(discriminator="provider"),
]


class ClusterSettings(Settings):
    """All of ``cluster:``."""

    kubernetes: Kubernetes
    namespaces: dict[Name, PodSecurityLevel] = NAMESPACES
