"""The operator, by ``charts/taskservice-operator``."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.apps import Operator as Settings


class OperatorArgs(Args):
    """``chart``: the folder of the chart; ``image``: a full reference; ``after``: what has to be there before.

    ``vault``: values of the chart's ``vault``, empty for none.
    """

    namespace: str
    chart: str
    image: str
    settings: Settings
    vault: dict[str, Any]
    after: list[pulumi.Resource]


class Operator(pulumi.ComponentResource):
    """Ready once its Deployment is available."""

    def __init__(self, name: str, args: OperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:apps:Operator", name, None, opts)
        self.chart = Chart(
            "taskservice-operator",
            chart=args.chart,
            namespace=args.namespace,
            values={
                "image": args.image,
                "replicas": args.settings.replicas,
                "settings": dict(args.settings.settings),
                **({"vault": args.vault} if args.vault else {}),
            },
            opts=child_of(self, depends_on=args.after),
        )
        self.register_outputs({})
