"""Loki for one machine: lines of pods, found by labels and by trace id."""

from __future__ import annotations

import pulumi

from taskservice_infra.components.component import Args
from taskservice_infra.components.observability.standing import CONFIG, DATA, Part, stand
from taskservice_infra.config.observability import LogsLocal as Settings

NAME = "loki"
PORT = 3100


class LokiArgs(Args):
    """``configuration``: the text of its file, which keeps everything below ``/var/loki``."""

    namespace: str
    settings: Settings
    image: str
    configuration: str


class Loki(pulumi.ComponentResource):
    """``url``: its address in the cluster."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: LokiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:Loki", name, None, opts)
        part = Part(
            name=NAME,
            namespace=args.namespace,
            image=args.image,
            memory=args.settings.memory,
            files={"loki.yaml": args.configuration.replace("/var/loki", DATA)},
            arguments=(f"-config.file={CONFIG}/loki.yaml",),
            ports={"http": PORT},
            ready=("/ready", "http"),
        )
        server = stand(self, part)
        self.url = server.id.apply(lambda _: f"http://{NAME}.{args.namespace}.svc.cluster.local:{PORT}")
        self.register_outputs({"url": self.url})
