"""Redis with Sentinel by the redis-operator: a lost primary is replaced by a replica within seconds."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data.release import install
from taskservice_infra.config.data import RedisSentinel as Settings
from taskservice_infra.versions import REDIS_OPERATOR

NAME = "redis"
API = "redis.redis.opstreelabs.in/v1beta2"


class RedisSentinelArgs(Args):
    """``password``: secret."""

    namespace: str
    settings: Settings
    password: pulumi.Output[str]


class RedisSentinel(pulumi.ComponentResource):
    """``url``: the address of the Service that follows the primary, secret."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RedisSentinelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:RedisSentinel", name, None, opts)
        settings, namespace = args.settings, args.namespace
        operator = install(self, "redis-operator", REDIS_OPERATOR, namespace, {})
        secret = Secret(
            f"{NAME}-admin",
            metadata={"name": f"{NAME}-admin", "namespace": namespace, "labels": workloads.labels(NAME)},
            string_data={"password": args.password},
            opts=child_of(self),
        )
        claim = workloads.claim(NAME, settings.storage.size, settings.storage.class_name)
        replication = CustomResource(
            NAME,
            api_version=API,
            kind="RedisReplication",
            metadata={"name": NAME, "namespace": namespace},
            spec={
                "clusterSize": settings.replicas,
                "kubernetesConfig": _pods(settings.image, settings.memory),
                "podSecurityContext": {"runAsUser": 1000, "fsGroup": 1000},
                "storage": {"volumeClaimTemplate": {"spec": claim["spec"]}},
            },
            opts=child_of(self, depends_on=[operator, secret]),
        )
        sentinel = CustomResource(
            f"{NAME}-sentinel",
            api_version=API,
            kind="RedisSentinel",
            metadata={"name": NAME, "namespace": namespace},
            spec={
                "clusterSize": settings.sentinels,
                "kubernetesConfig": _pods(settings.sentinel_image, "128Mi"),
                "podSecurityContext": {"runAsUser": 1000, "fsGroup": 1000},
                "redisSentinelConfig": {
                    "redisReplicationName": NAME,
                    "quorum": str(settings.sentinels // 2 + 1),
                    "redisReplicationPassword": {
                        "secretKeyRef": {"name": f"{NAME}-admin", "key": "password"},
                    },
                },
            },
            opts=child_of(self, depends_on=[replication]),
        )
        host = f"{NAME}-master.{namespace}.svc.cluster.local:6379"
        self.url = pulumi.Output.secret(
            pulumi.Output.all(args.password, sentinel.id).apply(lambda known: f"redis://:{known[0]}@{host}/0")
        )
        self.register_outputs({})


def _pods(image: str, memory: str) -> dict[str, Any]:
    return {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "redisSecret": {"name": f"{NAME}-admin", "key": "password"},
        "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}},
    }
