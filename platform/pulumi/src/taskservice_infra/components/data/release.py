"""Installing what another project publishes as a chart, as a real Helm release: its hooks run."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from taskservice_infra.components.component import child_of
from taskservice_infra.versions import ChartPin

TIMEOUT_SECONDS = 600


def install(
    parent: pulumi.ComponentResource, name: str, pin: ChartPin, namespace: str, values: pulumi.Input[Any]
) -> Release:
    """The release ``name`` of a pinned chart; it fails, and is taken back, when it is not ready in ten minutes."""
    return Release(
        name,
        name=name,
        chart=pin.chart,
        version=pin.version,
        repository_opts=RepositoryOptsArgs(repo=pin.repository) if pin.repository else None,
        namespace=namespace,
        values=values,
        atomic=True,
        timeout=TIMEOUT_SECONDS,
        opts=child_of(parent),
    )
