"""Project ``cluster``: a cluster, and the platform's namespaces in it."""

from __future__ import annotations

from pathlib import Path

import pulumi

from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.cluster.existing import Existing, ExistingArgs
from taskservice_infra.components.cluster.local import Local, LocalArgs
from taskservice_infra.components.cluster.namespaces import Namespaces, NamespacesArgs
from taskservice_infra.config.cluster import ClusterSettings, ExistingCluster, KindCluster, LocalCluster
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import publish
from taskservice_infra.errors import BadConfiguration, PlatformError
from taskservice_infra.kubeconfigs import Access, default_path, expect_answer, expect_context
from taskservice_infra.local_machine import LocalMachine, ThisMachine


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
    return ClusterOutputs(kubeconfig=cluster.kubeconfig, context=cluster.context)


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
