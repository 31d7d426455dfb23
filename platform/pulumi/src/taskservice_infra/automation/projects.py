"""The projects: their order, their programs, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taskservice_infra.config.apps import AppsSettings
from taskservice_infra.config.cluster import ClusterSettings
from taskservice_infra.config.data import DataSettings
from taskservice_infra.config.observability import ObservabilitySettings
from taskservice_infra.config.secrets import SecretsSettings
from taskservice_infra.config.settings import Settings
from taskservice_infra.errors import PlatformError
from taskservice_infra.local_machine import LocalMachine
from taskservice_infra.programs import apps, cluster, data, observability, secrets

FOLDER = Path(__file__).resolve().parents[3] / "projects"


@dataclass(frozen=True)
class Project:
    """``needs``: the projects whose outputs it reads.  ``seeded``: it derives passwords from a seed of its own.

    ``home``: the folder of all projects' stack files.
    """

    name: str
    settings: type[Settings]
    program: Callable[[LocalMachine], None]
    needs: tuple[str, ...] = ()
    seeded: bool = False
    home: Path = FOLDER

    @property
    def folder(self) -> Path:
        return self.home / self.name

    def stack_file(self, stack: str) -> Path:
        """Where the settings of a stack are."""
        return self.folder / f"Pulumi.{stack}.yaml"


PROJECTS = (
    Project("cluster", ClusterSettings, cluster.program),
    Project("secrets", SecretsSettings, secrets.program, needs=("cluster",)),
    Project("data", DataSettings, data.program, needs=("cluster",), seeded=True),
    Project("observability", ObservabilitySettings, observability.program, needs=("cluster",)),
    Project("apps", AppsSettings, apps.program, needs=("cluster", "data"), seeded=True),
)
"""In the order in which they are brought up."""


def chosen(names: Sequence[str], home: Path = FOLDER) -> tuple[Project, ...]:
    """The projects of these names, in order; all without a name.  Raises PlatformError for a name that is none."""
    known = [project.name for project in PROJECTS]
    for name in names:
        if name not in known:
            raise PlatformError(f"There is no project {name}; there are {', '.join(known)}.")
    return tuple(replace(project, home=home) for project in PROJECTS if not names or project.name in names)
