"""A cluster that is there already: used only while the kubeconfig's current context is the one the stack names."""

from __future__ import annotations

import pulumi

from taskservice_infra.components.component import Args
from taskservice_infra.kubeconfigs import Access


class ExistingArgs(Args):
    """``access``: checked before, see :mod:`taskservice_infra.kubeconfigs`."""

    access: Access


class Existing(pulumi.ComponentResource):
    """``kubeconfig``, ``context``: how to reach it."""

    kubeconfig: pulumi.Output[str]
    context: pulumi.Output[str]

    def __init__(self, name: str, args: ExistingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Existing", name, None, opts)
        self.kubeconfig = pulumi.Output.from_input(args.access.kubeconfig)
        self.context = pulumi.Output.from_input(args.access.context)
        self.register_outputs({"kubeconfig": self.kubeconfig, "context": self.context})
