"""Kafka by Strimzi: nodes that are controllers and brokers at once (KRaft), reached inside the cluster only."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data.release import install
from taskservice_infra.config.data import KafkaOperator as Settings
from taskservice_infra.versions import KAFKA_VERSION, STRIMZI

NAME = "kafka"
API = "kafka.strimzi.io/v1"


class KafkaOperatorArgs(Args):
    """What it is made of."""

    namespace: str
    settings: Settings


class KafkaOperator(pulumi.ComponentResource):
    """``url``: its address; a Kafka of this kind knows no user, who may reach it is for NetworkPolicies to say."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: KafkaOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:KafkaOperator", name, None, opts)
        settings, namespace = args.settings, args.namespace
        operator = install(self, "strimzi", STRIMZI, namespace, {})
        volume = {
            "id": 0,
            "type": "persistent-claim",
            "size": settings.storage.size,
            "deleteClaim": False,
            "kraftMetadata": "shared",
            **({"class": settings.storage.class_name} if settings.storage.class_name else {}),
        }
        nodes = CustomResource(
            f"{NAME}-nodes",
            api_version=API,
            kind="KafkaNodePool",
            metadata={"name": "nodes", "namespace": namespace, "labels": {"strimzi.io/cluster": NAME}},
            spec={
                "replicas": settings.replicas,
                "roles": ["controller", "broker"],
                "storage": {"type": "jbod", "volumes": [volume]},
                "resources": {
                    "requests": {"cpu": settings.cpu, "memory": settings.memory},
                    "limits": {"memory": settings.memory},
                },
            },
            opts=child_of(self, depends_on=[operator]),
        )
        cluster = CustomResource(
            NAME,
            api_version=API,
            kind="Kafka",
            metadata={
                "name": NAME,
                "namespace": namespace,
                "annotations": {"pulumi.com/waitFor": "condition=Ready"},
            },
            spec={
                "kafka": {
                    "version": settings.version or KAFKA_VERSION,
                    "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": False}],
                    "config": {
                        "default.replication.factor": settings.replicas,
                        "offsets.topic.replication.factor": settings.replicas,
                        "transaction.state.log.replication.factor": settings.replicas,
                        "min.insync.replicas": settings.replicas // 2 + 1,
                        "transaction.state.log.min.isr": settings.replicas // 2 + 1,
                    },
                },
                "entityOperator": {"topicOperator": {}, "userOperator": {}},
            },
            opts=child_of(self, depends_on=[nodes]),
        )
        host = f"{NAME}-kafka-bootstrap.{namespace}.svc.cluster.local:9092"
        self.url = cluster.id.apply(lambda _: f"kafka://{host}")
        self.register_outputs({})
