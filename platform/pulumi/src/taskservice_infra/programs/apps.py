"""Project ``apps``: the definition of TaskService, and the operator."""

from __future__ import annotations

from taskservice_infra import images
from taskservice_infra.components.apps.definitions import Definitions, DefinitionsArgs
from taskservice_infra.components.apps.operator import Operator, OperatorArgs
from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.config.apps import AppsSettings
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import read
from taskservice_infra.local_machine import LocalMachine, ThisMachine

SYSTEM = "taskservice-system"


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when settings or images cannot be had."""
    settings = from_engine(AppsSettings, "apps")
    machine = machine or ThisMachine()
    image = images.resolve(settings.operator.image, machine)
    provider = cluster_provider(read(ClusterOutputs))
    definitions = Definitions(
        "definitions", DefinitionsArgs(namespace=SYSTEM, chart=machine.chart("taskservice-crds")), on(provider)
    )
    Operator(
        "operator",
        OperatorArgs(
            namespace=SYSTEM,
            chart=machine.chart("taskservice-operator"),
            image=image,
            settings=settings.operator,
            after=[definitions],
        ),
        on(provider),
    )
