"""The class of volumes that stack files name in every cloud: encrypted, in the zone of the pod, growing on demand."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from taskservice_infra.components.component import Args, child_of

NAME = "encrypted"


class VolumeClassArgs(Args):
    """``kubeconfig``: of the cluster; ``provisioner`` and ``parameters``: the cloud's own."""

    kubeconfig: pulumi.Output[str]
    provisioner: str
    parameters: dict[str, str | pulumi.Output[str]]
    after: tuple[pulumi.Resource, ...] = ()


class VolumeClass(pulumi.ComponentResource):
    """``inside``: a provider of the cluster, for what else is put into it while it is made."""

    inside: kubernetes.Provider

    def __init__(self, name: str, args: VolumeClassArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:VolumeClass", name, None, opts)
        self.inside = kubernetes.Provider(f"{name}-inside", kubeconfig=args.kubeconfig, opts=child_of(self))
        kubernetes.storage.v1.StorageClass(
            f"{name}-{NAME}",
            metadata={"name": NAME},
            provisioner=args.provisioner,
            parameters=args.parameters,
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            reclaim_policy="Delete",
            opts=child_of(self, provider=self.inside, depends_on=list(args.after)),
        )
        self.register_outputs({})
