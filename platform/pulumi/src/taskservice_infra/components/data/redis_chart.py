"""Valkey by its own chart: a primary and replicas to read from; a lost primary comes back, nobody takes its place."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data.release import install
from taskservice_infra.config.data import RedisChart as Settings
from taskservice_infra.versions import VALKEY

NAME = "redis"


class RedisChartArgs(Args):
    """``password``: of the default user, secret."""

    namespace: str
    settings: Settings
    password: pulumi.Output[str]


class RedisChart(pulumi.ComponentResource):
    """``url``: the address of the primary, secret."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RedisChartArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:RedisChart", name, None, opts)
        secret = Secret(
            f"{NAME}-admin",
            metadata={"name": f"{NAME}-admin", "namespace": args.namespace, "labels": workloads.labels(NAME)},
            string_data={"password": args.password},
            opts=child_of(self),
        )
        # Named after the Secret, so that it exists before.
        values = secret.metadata.name.apply(lambda existing: _values(args.settings, existing))
        release = install(self, NAME, VALKEY, args.namespace, values)
        host = f"{NAME}.{args.namespace}.svc.cluster.local:6379"
        self.url = pulumi.Output.secret(
            pulumi.Output.all(args.password, release.id).apply(lambda known: f"redis://:{known[0]}@{host}/0")
        )
        self.register_outputs({})


def _values(settings: Settings, secret: str) -> dict[str, Any]:
    return {
        "fullnameOverride": NAME,
        "auth": {
            "enabled": True,
            "usersExistingSecret": secret,
            "aclUsers": {"default": {"permissions": "~* &* +@all", "passwordKey": "password"}},
        },
        "replica": {"enabled": settings.replicas > 1, "replicas": settings.replicas - 1},
        "dataStorage": {
            "enabled": True,
            "requestedSize": settings.storage.size,
            "className": settings.storage.class_name,
        },
        "resources": {"requests": {"memory": settings.memory}, "limits": {"memory": settings.memory}},
        "metrics": {"enabled": True},
    }
