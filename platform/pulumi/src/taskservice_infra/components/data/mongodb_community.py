"""MongoDB by MongoDB's own operator for the community edition: replica set, users; no backups of its own."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data.release import install
from taskservice_infra.config.data import MongoDbCommunity as Settings
from taskservice_infra.versions import MONGODB_COMMUNITY, MONGODB_COMMUNITY_VERSION

NAME = "mongodb"


class MongoDbCommunityArgs(Args):
    """``password``: of the services' user, secret."""

    namespace: str
    settings: Settings
    password: pulumi.Output[str]


class MongoDbCommunity(pulumi.ComponentResource):
    """``urls``: the address of the services' user, secret."""

    urls: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: MongoDbCommunityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:MongoDbCommunity", name, None, opts)
        values = {"operator": {"watchedResources": ["mongodbcommunity"]}}
        operator = install(self, "mongodb-kubernetes", MONGODB_COMMUNITY, args.namespace, values)
        secret = Secret(
            f"{NAME}-taskservice",
            metadata={"name": f"{NAME}-taskservice", "namespace": args.namespace, "labels": workloads.labels(NAME)},
            string_data={"password": args.password},
            opts=child_of(self),
        )
        settings = args.settings
        claim = workloads.claim("data-volume", settings.storage.size, settings.storage.class_name)
        container = {
            "name": "mongod",
            "resources": {
                "requests": {"cpu": settings.cpu, "memory": settings.memory},
                "limits": {"memory": settings.memory},
            },
        }
        database = CustomResource(
            NAME,
            api_version="mongodbcommunity.mongodb.com/v1",
            kind="MongoDBCommunity",
            metadata={
                "name": NAME,
                "namespace": args.namespace,
                "annotations": {"pulumi.com/waitFor": "jsonpath={.status.phase}=Running"},
            },
            spec={
                "type": "ReplicaSet",
                "members": settings.replicas,
                "version": settings.version or MONGODB_COMMUNITY_VERSION,
                "security": {"authentication": {"modes": ["SCRAM"]}},
                "users": [
                    {
                        "name": "taskservice",
                        "db": "admin",
                        "passwordSecretRef": {"name": f"{NAME}-taskservice", "key": "password"},
                        "roles": [{"name": "readWrite", "db": "taskservice"}],
                        "scramCredentialsSecretName": f"{NAME}-taskservice",
                    }
                ],
                "statefulSet": {
                    "spec": {
                        "template": {"spec": {"containers": [container]}},
                        "volumeClaimTemplates": [{"metadata": claim["metadata"], "spec": claim["spec"]}],
                    }
                },
            },
            opts=child_of(self, depends_on=[operator, secret]),
        )
        host = f"{NAME}-svc.{args.namespace}.svc.cluster.local"
        url = pulumi.Output.all(args.password, database.id).apply(
            lambda known: f"mongodb+srv://taskservice:{known[0]}@{host}/?replicaSet={NAME}&authSource=admin&tls=false"
        )
        self.urls = {"taskservice": pulumi.Output.secret(url)}
        self.register_outputs({})
