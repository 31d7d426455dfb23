"""Everything that can be known to be wrong before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from taskservice_infra.automation.projects import Project
from taskservice_infra.automation.workspace import LOCAL, Place
from taskservice_infra.config import settings as files
from taskservice_infra.config.cluster import ClusterSettings, ExistingCluster, KindCluster, LocalCluster
from taskservice_infra.config.settings import Settings
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.cluster import expected


def check(projects: Sequence[Project], stack: str) -> ClusterSettings:
    """The settings of the stack's cluster, after those of all projects were found good.

    Raises BadConfiguration with every finding of every file, or PlatformError when a file cannot be read.
    """
    findings: list[str] = []
    for project in projects:
        try:
            _settings(project, stack)
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


def _settings(project: Project, stack: str) -> Settings:
    values = files.read(project.name, project.stack_file(stack))
    if project.seeded and stack == LOCAL:
        values.setdefault("seed", files.ENCRYPTED)  # made with the stack
    return files.parse(project.settings, project.name, stack, values)


def expect_needs(projects: Sequence[Project], place: Place) -> None:
    """Every project whose outputs are asked for is among these, or up.  Raises BadConfiguration with every finding."""
    among = {project.name for project in projects}
    findings = []
    for project in projects:
        settings = _settings(project, place.stack)
        for need, key in settings.needs().items():
            if need not in among and not place.holds(need):
                findings.append(
                    f"Pulumi.{place.stack}.yaml: {project.name}:{key}: takes what project {need} makes, which is not "
                    f"up: bring it up first (`make up PROJECTS={need}`), or leave {project.name}:{key} out."
                )
    if findings:
        raise BadConfiguration(findings)


def is_here(cluster: ClusterSettings) -> bool:
    """Whether the cluster runs on this machine, and goes with the stack."""
    return isinstance(cluster.kubernetes, LocalCluster | KindCluster)
