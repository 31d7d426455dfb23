"""Project ``cluster``: a cluster, and the platform's namespaces in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.cluster.existing import Existing, ExistingArgs
from taskservice_infra.components.cluster.local import Local, LocalArgs
from taskservice_infra.components.cluster.namespaces import Namespaces, NamespacesArgs
from taskservice_infra.config.aks import AksCluster
from taskservice_infra.config.cloud import CloudCluster
from taskservice_infra.config.cluster import ClusterSettings, ExistingCluster, KindCluster, LocalCluster
from taskservice_infra.config.eks import EksCluster
from taskservice_infra.config.gke import GkeCluster
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import publish
from taskservice_infra.errors import BadConfiguration, PlatformError
from taskservice_infra.kubeconfigs import Access, default_path, expect_answer, expect_context
from taskservice_infra.local_machine import LocalMachine, ThisMachine

if TYPE_CHECKING:
    from taskservice_infra.components.cluster.aks import Aks
    from taskservice_infra.components.cluster.eks import Eks
    from taskservice_infra.components.cluster.gke import Gke

OWN_TAGS = {"managed-by": "pulumi", "part-of": "taskservice"}
"""Of everything in a cloud, beside those of the stack file and the stack's name."""


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when the cluster cannot be had."""
    settings = from_engine(ClusterSettings, "cluster")
    outputs = _cluster(settings, machine or ThisMachine())
    Namespaces("namespaces", NamespacesArgs(levels=settings.namespaces), on(cluster_provider(outputs)))
    publish(outputs)


def _cluster(settings: ClusterSettings, machine: LocalMachine) -> ClusterOutputs:
    match settings.kubernetes:
        case LocalCluster():
            cluster = Local("cluster", LocalArgs(access=_started(machine, None)))
        case KindCluster():
            cluster = Local("cluster", LocalArgs(access=_started(machine, "kind")))
        case ExistingCluster() as existing:
            cluster = Existing("cluster", ExistingArgs(access=expected(existing, pulumi.get_stack())))
        case CloudCluster() as cloud:
            cluster = _in_the_cloud(cloud)
            # For people and for the settings of project secrets: no program reads it.
            pulumi.export("unseal", cluster.unseal)
    return ClusterOutputs(kubeconfig=cluster.kubeconfig, context=cluster.context)


def _in_the_cloud(settings: CloudCluster) -> Eks | Gke | Aks:
    """The clouds' packages are large and a requirement of their own (requirements/clouds.txt): loaded where used."""
    try:
        return _component(settings, {**settings.tags, **OWN_TAGS, "stack": pulumi.get_stack()})
    except ModuleNotFoundError as missing:
        raise PlatformError(
            f"{missing.name} is not installed, and this stack's cluster needs it: "
            "pip install --require-hashes -r requirements/clouds.txt."
        ) from None


def _component(settings: CloudCluster, tags: dict[str, str]) -> Eks | Gke | Aks:
    match settings:
        case EksCluster():
            from taskservice_infra.components.cluster.eks import Eks, EksArgs

            return Eks("cluster", EksArgs(cluster=settings, tags=tags))
        case GkeCluster():
            from taskservice_infra.components.cluster.gke import Gke, GkeArgs

            return Gke("cluster", GkeArgs(cluster=settings, labels=tags))
        case AksCluster():
            from taskservice_infra.components.cluster.aks import Aks, AksArgs

            return Aks("cluster", AksArgs(cluster=settings, tags=tags))
        case _:
            raise AssertionError(f"no component for {type(settings).__name__}")


def _started(machine: LocalMachine, kind: str | None) -> Access:
    if not pulumi.runtime.is_dry_run():
        return machine.up(kind)
    access = machine.access()
    if access is None:
        raise PlatformError("The local cluster is not up, and a preview does not start it: `make up`.")
    return access


def expected(existing: ExistingCluster, stack: str) -> Access:
    """The cluster that a stack expects.  Raises BadConfiguration when another one is current, or it does not answer."""
    kubeconfig = Path(existing.kubeconfig).expanduser() if existing.kubeconfig else default_path()
    try:
        access = expect_context(kubeconfig, existing.context)
        expect_answer(access)
    except PlatformError as problem:
        raise BadConfiguration([f"Pulumi.{stack}.yaml: cluster:kubernetes.context: {problem}."]) from None
    return access
