"""Kafka for development: one node that is controller and broker at once (KRaft), reached inside the cluster only."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Service

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data import one_server
from taskservice_infra.config.data import KafkaDev as Settings

NAME = "kafka"
PORT = 9092
CONTROLLER_PORT = 9093
PROPERTIES = "/settings/server.properties"
CLUSTER_ID = base64.urlsafe_b64encode(uuid.UUID("6f5d5c1e-6b1b-4c53-9d0b-7d6a4b9f3a10").bytes).decode().rstrip("=")
"""Of every Kafka of this kind, so that a pod finds the data of the pod before it to be its own."""


class KafkaDevArgs(Args):
    """``image``: a full reference."""

    namespace: str
    settings: Settings
    image: str


class KafkaDev(pulumi.ComponentResource):
    """``url``: its address; it knows no user, who may reach it is for NetworkPolicies to say."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: KafkaDevArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:KafkaDev", name, None, opts)
        self.args = args
        self.host = f"{NAME}.{args.namespace}.svc.cluster.local"
        files = {"server.properties": self._properties()}
        config = ConfigMap(NAME, metadata=self._metadata(), data=files, opts=child_of(self))
        ports = [{"name": "kafka", "port": PORT, "target_port": "kafka"}]
        Service(
            NAME,
            metadata=self._metadata(),
            spec={"selector": workloads.selector(NAME), "ports": ports},  # pyright: ignore[reportArgumentType]
            opts=child_of(self),
        )
        server = StatefulSet(
            NAME, metadata=self._metadata(), spec=self._spec(files), opts=child_of(self, depends_on=[config])
        )
        self.url = server.id.apply(lambda _: f"kafka://{self.host}:{PORT}")
        self.register_outputs({})

    def _metadata(self) -> Any:
        return {"name": NAME, "namespace": self.args.namespace, "labels": workloads.labels(NAME)}

    def _properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{CONTROLLER_PORT}",
            "listeners": f"PLAINTEXT://0.0.0.0:{PORT},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://{self.host}:{PORT}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": "/data/logs",  # not the volume itself: a file system may keep a folder of its own in it
            "auto.create.topics.enable": "false",
            "num.network.threads": "2",
            "num.io.threads": "2",
            # There is one node, so one copy of everything.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _spec(self, files: dict[str, str]) -> Any:
        formats = self._container("format", ["kafka.tools.StorageTool", "format", "--ignore-formatted"])
        pod = {
            "initContainers": [formats | {"args": ["-t", CLUSTER_ID, "-c", PROPERTIES]}],
            "containers": [self._container(NAME, ["kafka.Kafka", PROPERTIES]) | self._server()],
        }
        return one_server.spec(NAME, pod, files, self.args.settings.storage)

    def _container(self, name: str, words: list[str]) -> dict[str, Any]:
        heap = ["-Xms64m", f"-Xmx{self.args.settings.heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java = ["java", "-Dlog4j2.configurationFile=/etc/kafka/log4j2.properties", *heap, "-cp", "/opt/kafka/*"]
        return {
            "name": name,
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "command": [*java, *words],
            "securityContext": workloads.container_security(),
            "resources": {
                "requests": {"cpu": "25m", "memory": "256Mi"},
                "limits": {"memory": self.args.settings.memory},
            },
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "settings", "mountPath": "/settings", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of its pod
            ],
        }

    @staticmethod
    def _server() -> dict[str, Any]:
        return {
            "ports": [{"name": "kafka", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": {
                "tcpSocket": {"port": "kafka"}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 300,
            },
            "readinessProbe": {"tcpSocket": {"port": "kafka"}, "periodSeconds": 5, "timeoutSeconds": 5},
        }  # fmt: skip
