"""Jaeger for one machine: spans by OTLP in, traces by its query API out, kept in memory."""

from __future__ import annotations

import pulumi

from taskservice_infra.components.component import Args
from taskservice_infra.components.observability.standing import CONFIG, Part, stand
from taskservice_infra.config.observability import TracesLocal as Settings

NAME = "jaeger"
PORTS = {"otlp-grpc": 4317, "otlp-http": 4318, "query": 16686, "health": 13133}


class JaegerArgs(Args):
    """``configuration``: the text of its file."""

    namespace: str
    settings: Settings
    image: str
    configuration: str


class Jaeger(pulumi.ComponentResource):
    """``url``: the address of its query API in the cluster."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: JaegerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:Jaeger", name, None, opts)
        part = Part(
            name=NAME,
            namespace=args.namespace,
            image=args.image,
            memory=args.settings.memory,
            files={"jaeger.yaml": args.configuration},
            arguments=(f"--config={CONFIG}/jaeger.yaml",),
            ports=PORTS,
            ready=("/status", "health"),
        )
        server = stand(self, part)
        self.url = server.id.apply(lambda _: f"http://{NAME}.{args.namespace}.svc.cluster.local:{PORTS['query']}")
        self.register_outputs({"url": self.url})
