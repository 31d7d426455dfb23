"""Redis for development: one that keeps nothing (cached lists, rate limits, ended sessions once more)."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret, Service

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.data import RedisDev as Settings

NAME = "redis"
PORT = 6379


class RedisDevArgs(Args):
    """``image``: a full reference; ``password``: secret."""

    namespace: str
    settings: Settings
    image: str
    password: pulumi.Output[str]


class RedisDev(pulumi.ComponentResource):
    """``url``: its address, secret."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RedisDevArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:RedisDev", name, None, opts)
        self.args = args
        secret = Secret(
            f"{NAME}-admin",
            metadata=self._metadata(f"{NAME}-admin"),
            string_data={"password": args.password},
            opts=child_of(self),
        )
        Service(
            NAME,
            metadata=self._metadata(NAME),
            spec={"selector": workloads.selector(NAME), "ports": [{"name": NAME, "port": PORT, "target_port": NAME}]},
            opts=child_of(self),
        )
        server = StatefulSet(
            NAME, metadata=self._metadata(NAME), spec=self._spec(), opts=child_of(self, depends_on=[secret])
        )
        host = f"{NAME}.{args.namespace}.svc.cluster.local:{PORT}"
        self.url = pulumi.Output.secret(
            pulumi.Output.all(args.password, server.id).apply(lambda known: f"redis://:{known[0]}@{host}/0")
        )
        self.register_outputs({})

    def _metadata(self, name: str) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(NAME)}

    def _spec(self) -> Any:
        settings = self.args.settings
        # Nothing is written to disk. A restart that brought old entries back would bring old lists back.
        words = {
            "port": str(PORT),
            "bind": "0.0.0.0",  # noqa: S104 - of its pod
            "dir": "/tmp",  # noqa: S108 - a volume of its pod
            "save": "",
            "appendonly": "no",
            "maxmemory": settings.max_memory,
            "maxmemory-policy": "allkeys-lru",
            "requirepass": "$(REDIS_PASSWORD)",
        }
        password = {"secretKeyRef": {"name": f"{NAME}-admin", "key": "password"}}
        container = {
            "name": NAME,
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "command": [settings.program],
            "args": [each for word, value in words.items() for each in (f"--{word}", value)],
            "env": [{"name": "REDIS_PASSWORD", "valueFrom": password}],
            "ports": [{"name": NAME, "containerPort": PORT, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": NAME}, "periodSeconds": 2},
            "securityContext": workloads.container_security(),
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": settings.memory}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
        }
        pod = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 10,
            "securityContext": workloads.pod_security(),
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }
        return {
            "replicas": 1,
            "serviceName": NAME,
            "selector": {"matchLabels": workloads.selector(NAME)},
            "template": {"metadata": {"labels": workloads.labels(NAME)}, "spec": pod},
        }
