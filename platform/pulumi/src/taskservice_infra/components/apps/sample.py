"""The sample application: its credentials as Secrets, its TaskServices by ``charts/taskservice-app``."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.helm.v4 import Chart

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.apps import Sample as Settings

CREDENTIALS = {
    "taskservice-mongo": "TASKSERVICE_MONGO_URL",
    "taskservice-redis": "TASKSERVICE_REDIS_URL",
    "taskservice-bus": "TASKSERVICE_BUS_URL",
    "taskservice-jwt": "TASKSERVICE_JWT_PRIVATE_KEY",
    "taskservice-directory": "TASKSERVICE_DIRECTORY_TOKEN",
}
"""The Secrets, and the variable that each holds."""


DATABASES = {"mongo": "mongo", "redis": "redis", "rabbitmq": "bus"}
"""The chart's own, which stay off, and whose Secret takes the place of each."""


class SampleArgs(Args):
    """``chart``: the folder of the chart; ``image``: a full reference; ``after``: what has to be there before.

    ``credentials``: what each variable of ``CREDENTIALS`` holds, secret; empty: the services' are in Vault.
    ``gateway``: values of the chart's gateway, empty for none.
    ``spans``: where spans are sent, OTLP over HTTP; None: none are made.
    """

    namespace: str
    chart: str
    image: str
    settings: Settings
    credentials: dict[str, pulumi.Output[str]]
    gateway: dict[str, Any]
    spans: pulumi.Output[str] | None
    after: list[pulumi.Resource]


class Sample(pulumi.ComponentResource):
    """Ready once its TaskServices are."""

    def __init__(self, name: str, args: SampleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:apps:Sample", name, None, opts)
        secrets = [
            Secret(
                secret,
                metadata={"name": secret, "namespace": args.namespace, "labels": workloads.labels("sample")},
                string_data={variable: args.credentials[variable]},
                opts=child_of(self),
            )
            for secret, variable in (CREDENTIALS.items() if args.credentials else ())
        ]
        Chart(
            "sample",
            chart=args.chart,
            namespace=args.namespace,
            values=_values(args),
            opts=child_of(self, depends_on=[*args.after, *secrets]),
        )
        self.register_outputs({})


def _values(args: SampleArgs) -> dict[str, Any]:
    settings = args.settings
    spans: dict[str, Any] = {"TASKSERVICE_OTLP_ENDPOINT": args.spans} if args.spans is not None else {}
    values: dict[str, Any] = {
        "image": args.image,
        "config": {**spans, **settings.config},
        "secrets": {"create": False},
        **{name: {"enabled": False, "externalUrlSecret": f"taskservice-{of}"} for name, of in DATABASES.items()},
        "rollout": {"scaleDownDelaySeconds": settings.scale_down_delay_seconds},
        # Without it, a release counts as done as soon as it is asked for.
        "taskServiceAnnotations": {"pulumi.com/waitFor": "condition=Ready"},
        **{name: {"replicas": settings.replicas} for name in ("auth", "tasks", "worker")},
    }
    if settings.slo:
        for name in ("auth", "tasks"):
            values[name]["slo"] = settings.slo.model_dump(by_alias=True, exclude_none=True)
    if not args.credentials:
        values["vault"] = {"enabled": True}
    if args.gateway:
        values["gateway"] = {"enabled": True, **args.gateway}
    return values
