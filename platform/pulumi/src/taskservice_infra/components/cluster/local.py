"""A cluster on this machine: started by ``platform/local``, and known to the stack by its kubeconfig's path."""

from __future__ import annotations

import pulumi

from taskservice_infra.components.component import Args
from taskservice_infra.kubeconfigs import Access


class LocalArgs(Args):
    """``access``: of the cluster, which is up."""

    access: Access


class Local(pulumi.ComponentResource):
    """``kubeconfig``, ``context``: how to reach it."""

    kubeconfig: pulumi.Output[str]
    context: pulumi.Output[str]

    def __init__(self, name: str, args: LocalArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Local", name, None, opts)
        self.kubeconfig = pulumi.Output.from_input(args.access.kubeconfig)
        self.context = pulumi.Output.from_input(args.access.context)
        self.register_outputs({"kubeconfig": self.kubeconfig, "context": self.context})
