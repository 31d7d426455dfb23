"""Everything that can be known to be wrong before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from taskservice_infra.automation.projects import Project
from taskservice_infra.automation.workspace import LOCAL
from taskservice_infra.config import settings as files
from taskservice_infra.config.cluster import ClusterSettings, ExistingCluster, KindCluster, LocalCluster
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.cluster import expected


def check(projects: Sequence[Project], stack: str) -> ClusterSettings:
    """The settings of the stack's cluster, after those of all projects were found good.

    Raises BadConfiguration with every finding of every file, or PlatformError when a file cannot be read.
    """
    findings: list[str] = []
    for project in projects:
        values = files.read(project.name, project.stack_file(stack))
        if project.seeded and stack == LOCAL:
            values.setdefault("seed", files.ENCRYPTED)  # made with the stack
        try:
            files.parse(project.settings, project.name, stack, values)
        except BadConfiguration as problem:
            findings += problem.findings
    try:
        cluster = files.from_file(ClusterSettings, "cluster", projects[0].home / "cluster" / f"Pulumi.{stack}.yaml")
    except BadConfiguration as problem:
        raise BadConfiguration(list(dict.fromkeys([*findings, *problem.findings]))) from None
    if findings:
        raise BadConfiguration(findings)
    if isinstance(cluster.kubernetes, ExistingCluster):
        expected(cluster.kubernetes, stack)
    return cluster


def is_here(cluster: ClusterSettings) -> bool:
    """Whether the cluster runs on this machine, and goes with the stack."""
    return isinstance(cluster.kubernetes, LocalCluster | KindCluster)
