"""The definition of TaskService, by ``charts/taskservice-crds``; it stays when the operator goes."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from taskservice_infra.components.component import Args, child_of


class DefinitionsArgs(Args):
    """``chart``: the folder of the chart."""

    namespace: str
    chart: str


class Definitions(pulumi.ComponentResource):
    """Custom resource definitions, each a resource of its own, so that a lost one is seen."""

    def __init__(self, name: str, args: DefinitionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:apps:Definitions", name, None, opts)
        self.chart = Chart("taskservice-crds", chart=args.chart, namespace=args.namespace, opts=child_of(self))
        self.register_outputs({})
