"""Alertmanager for one machine: it groups and shows alerts."""

from __future__ import annotations

import pulumi

from taskservice_infra.components.component import Args
from taskservice_infra.components.observability.standing import CONFIG, DATA, Part, stand

NAME = "alertmanager"
PORT = 9093


class AlertmanagerArgs(Args):
    """``configuration``: the text of its file."""

    namespace: str
    image: str
    configuration: str


class Alertmanager(pulumi.ComponentResource):
    """Ready once its pod is."""

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:Alertmanager", name, None, opts)
        part = Part(
            name=NAME,
            namespace=args.namespace,
            image=args.image,
            memory="128Mi",
            files={"alertmanager.yml": args.configuration},
            arguments=(
                f"--config.file={CONFIG}/alertmanager.yml",
                f"--storage.path={DATA}",
                f"--web.listen-address=0.0.0.0:{PORT}",
                "--cluster.listen-address=",
            ),
            ports={"web": PORT},
            ready=("/-/ready", "web"),
        )
        stand(self, part)
        self.register_outputs({})
