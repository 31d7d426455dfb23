"""The way to a cluster, as every project's resources take it."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes import Provider

from taskservice_infra.contracts.cluster import ClusterOutputs


def cluster_provider(cluster: ClusterOutputs) -> Provider:
    """The Kubernetes provider for a cluster; give it to a project's components as ``opts.provider``."""
    return Provider(
        "cluster",
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
        enable_server_side_apply=True,
        # A change of one changes it in place; otherwise it would be gone for a moment.
        enable_secret_mutable=True,
        enable_config_map_mutable=True,
        suppress_helm_hook_warnings=True,
    )


def on(provider: Provider, **options: object) -> pulumi.ResourceOptions:
    """Options of a component whose children live in that provider's cluster."""
    return pulumi.ResourceOptions(providers=[provider], **options)  # type: ignore[arg-type]
