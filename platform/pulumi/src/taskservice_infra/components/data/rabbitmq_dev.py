"""RabbitMQ for development: one node, one user, AMQP and metrics."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Secret, Service

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data import one_server
from taskservice_infra.config.data import RabbitMqDev as Settings

NAME = "rabbitmq"
PORT = 5672
METRICS_PORT = 15692
USER = "taskservice"


class RabbitMqDevArgs(Args):
    """``image``: a full reference; ``password``: of the only user, secret."""

    namespace: str
    settings: Settings
    image: str
    password: pulumi.Output[str]


class RabbitMqDev(pulumi.ComponentResource):
    """``url``: its address, secret."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RabbitMqDevArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:RabbitMqDev", name, None, opts)
        self.args = args
        secret = Secret(
            f"{NAME}-admin",
            metadata=self._metadata(f"{NAME}-admin"),
            string_data={"password": args.password},
            opts=child_of(self),
        )
        files = {"rabbitmq.conf": _settings(args.settings), "enabled_plugins": "[rabbitmq_prometheus].\n"}
        config = ConfigMap(NAME, metadata=self._metadata(NAME), data=files, opts=child_of(self))
        ports = [
            {"name": "amqp", "port": PORT, "target_port": "amqp"},
            {"name": "metrics", "port": METRICS_PORT, "target_port": "metrics"},
        ]
        Service(
            NAME,
            metadata=self._metadata(NAME),
            spec={"selector": workloads.selector(NAME), "ports": ports},  # pyright: ignore[reportArgumentType]
            opts=child_of(self),
        )
        server = StatefulSet(
            NAME,
            metadata=self._metadata(NAME),
            spec=self._spec(files),
            opts=child_of(self, depends_on=[secret, config]),
        )
        host = f"{NAME}.{args.namespace}.svc.cluster.local:{PORT}"
        self.url = pulumi.Output.secret(
            pulumi.Output.all(args.password, server.id).apply(lambda known: f"amqp://{USER}:{known[0]}@{host}/")
        )
        self.register_outputs({})

    def _metadata(self, name: str) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(NAME)}

    def _spec(self, files: dict[str, str]) -> Any:
        return one_server.spec(NAME, {"containers": [self._container()]}, files, self.args.settings.storage)

    def _container(self) -> dict[str, Any]:
        password = {"secretKeyRef": {"name": f"{NAME}-admin", "key": "password"}}
        plain = {
            # The only user there is; the broker makes it when its disk is empty.
            "RABBITMQ_DEFAULT_USER": USER,
            "RABBITMQ_CONFIG_FILE": "/settings/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/settings/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": "/data",
            "RABBITMQ_LOG_BASE": "/tmp",  # noqa: S108 - a volume of its pod
            "RABBITMQ_LOGS": "-",
            # Named after no pod: data that outlives its pod belongs to the next one. One node has no cluster, so what
            # Erlang nodes say to each other stays within the pod; and processors are not spun on without work.
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none +Q 8192"
            ),
            "HOME": "/tmp",  # noqa: S108 - of the nodes' cookie, which is made at each start of the pod
        }
        return {
            "name": NAME,
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["rabbitmq-server"],
            "env": [
                {"name": "RABBITMQ_DEFAULT_PASS", "valueFrom": password},
                *({"name": name, "value": value} for name, value in plain.items()),
            ],
            "ports": [
                {"name": "amqp", "containerPort": PORT, "protocol": "TCP"},
                {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
            ],
            "startupProbe": {
                "tcpSocket": {"port": "amqp"}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 300,
            },
            "readinessProbe": {"tcpSocket": {"port": "amqp"}, "periodSeconds": 5, "timeoutSeconds": 5},
            "securityContext": workloads.container_security(),
            "resources": {
                "requests": {"cpu": "25m", "memory": "160Mi"}, "limits": {"memory": self.args.settings.memory},
            },
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "settings", "mountPath": "/settings", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            ],
        }  # fmt: skip


def _settings(settings: Settings) -> str:
    # Bounds that fit the container's: the broker knows the node's memory and disk only.
    return (
        f"listeners.tcp.default = {PORT}\n"
        f"prometheus.tcp.port = {METRICS_PORT}\n"
        f"vm_memory_high_watermark.absolute = {settings.max_memory}\n"
        "disk_free_limit.absolute = 100MB\n"
        "raft.wal_max_size_bytes = 33554432\n"
    )
