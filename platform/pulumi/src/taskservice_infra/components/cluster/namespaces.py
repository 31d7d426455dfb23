"""The platform's namespaces, each with the level of Pod Security that is enforced in it."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Namespace

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cluster import PodSecurityLevel


class NamespacesArgs(Args):
    """``levels``: the level enforced, by namespace."""

    levels: dict[str, PodSecurityLevel]


class Namespaces(pulumi.ComponentResource):
    """``names``: all of them, once they exist."""

    names: pulumi.Output[list[str]]

    def __init__(self, name: str, args: NamespacesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:Namespaces", name, None, opts)
        made = [
            Namespace(
                namespace,
                metadata={
                    "name": namespace,
                    "labels": {
                        "app.kubernetes.io/part-of": "taskservice",
                        "pod-security.kubernetes.io/enforce": level,
                        "pod-security.kubernetes.io/warn": "restricted",
                    },
                },
                opts=child_of(self),
            )
            for namespace, level in args.levels.items()
        ]
        self.names = pulumi.Output.all(*(each.metadata.name for each in made))
        self.register_outputs({"names": self.names})
