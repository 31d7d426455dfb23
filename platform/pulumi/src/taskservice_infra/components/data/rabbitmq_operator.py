"""RabbitMQ by RabbitMQ's cluster operator: nodes that agree on quorum queues."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.yaml.v2 import ConfigFile

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.data import RabbitMqOperator as Settings
from taskservice_infra.versions import RABBITMQ_OPERATOR

NAME = "rabbitmq"
USER = "taskservice"


class RabbitMqOperatorArgs(Args):
    """``password``: of the only user, secret."""

    namespace: str
    settings: Settings
    password: pulumi.Output[str]


class RabbitMqOperator(pulumi.ComponentResource):
    """``url``: its address, secret."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: RabbitMqOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:RabbitMqOperator", name, None, opts)
        settings = args.settings
        operator = ConfigFile(
            "rabbitmq-cluster-operator", file=settings.manifest or RABBITMQ_OPERATOR, opts=child_of(self)
        )
        host = f"{NAME}.{args.namespace}.svc.cluster.local"
        # The operator's convention (servicebinding.io): with these keys it takes our user instead of making one.
        secret = Secret(
            f"{NAME}-default-user",
            metadata={"name": f"{NAME}-admin", "namespace": args.namespace, "labels": workloads.labels(NAME)},
            string_data={
                "username": USER,
                "password": args.password,
                "default_user.conf": args.password.apply(
                    lambda password: f"default_user = {USER}\ndefault_pass = {password}\n"
                ),
                "host": host,
                "port": "5672",
                "provider": "rabbitmq",
                "type": "rabbitmq",
            },
            opts=child_of(self),
        )
        cluster = CustomResource(
            NAME,
            api_version="rabbitmq.com/v1beta1",
            kind="RabbitmqCluster",
            metadata={
                "name": NAME,
                "namespace": args.namespace,
                "annotations": {"pulumi.com/waitFor": "condition=AllReplicasReady"},
            },
            spec={
                "replicas": settings.replicas,
                "secretBackend": {"externalSecret": {"name": f"{NAME}-admin"}},
                "persistence": {
                    "storage": settings.storage.size,
                    **({"storageClassName": settings.storage.class_name} if settings.storage.class_name else {}),
                },
                "resources": {
                    "requests": {"cpu": settings.cpu, "memory": settings.memory},
                    "limits": {"memory": settings.memory},
                },
                "rabbitmq": {
                    "additionalPlugins": ["rabbitmq_prometheus"],
                    "additionalConfig": "default_queue_type = quorum\ncluster_partition_handling = pause_minority\n",
                },
            },
            opts=child_of(self, depends_on=[operator, secret]),
        )
        self.url = pulumi.Output.secret(
            pulumi.Output.all(args.password, cluster.id).apply(lambda known: f"amqp://{USER}:{known[0]}@{host}:5672/")
        )
        self.register_outputs({})
