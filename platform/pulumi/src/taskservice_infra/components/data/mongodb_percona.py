"""MongoDB by Percona's operator, for production: members on different nodes, backups, smart updates."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.data.release import install
from taskservice_infra.config.data import MongoDbPercona as Settings
from taskservice_infra.versions import MONGODB_IMAGE, PERCONA_MONGODB

NAME = "mongodb"
REPLICA_SET = "rs0"


class MongoDbPerconaArgs(Args):
    """``password``: of the services' user, secret."""

    namespace: str
    settings: Settings
    password: pulumi.Output[str]


class MongoDbPercona(pulumi.ComponentResource):
    """``urls``: the address of the services' user, secret.  Percona's operator has its own users for its backups."""

    urls: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: MongoDbPerconaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:MongoDbPercona", name, None, opts)
        operator = install(self, "psmdb-operator", PERCONA_MONGODB, args.namespace, {"watchAllNamespaces": False})
        secret = Secret(
            f"{NAME}-taskservice",
            metadata={"name": f"{NAME}-taskservice", "namespace": args.namespace, "labels": workloads.labels(NAME)},
            string_data={"password": args.password},
            opts=child_of(self),
        )
        database = CustomResource(
            NAME,
            api_version="psmdb.percona.com/v1",
            kind="PerconaServerMongoDB",
            metadata={
                "name": NAME,
                "namespace": args.namespace,
                "annotations": {"pulumi.com/waitFor": "jsonpath={.status.state}=ready"},
            },
            spec=_spec(args.settings),
            opts=child_of(self, depends_on=[operator, secret]),
        )
        host = f"{NAME}-{REPLICA_SET}.{args.namespace}.svc.cluster.local"
        url = pulumi.Output.all(args.password, database.id).apply(
            lambda known: (
                f"mongodb+srv://taskservice:{known[0]}@{host}/?replicaSet={REPLICA_SET}&authSource=taskservice&tls=true"
            )
        )
        self.urls = {"taskservice": pulumi.Output.secret(url)}
        self.register_outputs({})


def _spec(settings: Settings) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "crVersion": PERCONA_MONGODB.version,
        "image": settings.image or MONGODB_IMAGE,
        # Versions change when this file does.
        "upgradeOptions": {"apply": "disabled"},
        "updateStrategy": "SmartUpdate",
        "tls": {"mode": "requireTLS"},
        "replsets": [
            {
                "name": REPLICA_SET,
                "size": settings.replicas,
                "affinity": {"antiAffinityTopologyKey": "kubernetes.io/hostname"},
                "podDisruptionBudget": {"maxUnavailable": 1},
                "resources": {
                    "requests": {"cpu": settings.cpu, "memory": settings.memory},
                    "limits": {"memory": settings.memory},
                },
                "volumeSpec": {"persistentVolumeClaim": _claim(settings)},
            }
        ],
        "sharding": {"enabled": False},
        "users": [
            {
                "name": "taskservice",
                "db": "taskservice",
                "passwordSecretRef": {"name": f"{NAME}-taskservice", "key": "password"},
                "roles": [{"name": "readWrite", "db": "taskservice"}],
            }
        ],
    }
    if settings.backup:
        backup = settings.backup
        spec["backup"] = {
            "enabled": True,
            "pitr": {"enabled": backup.point_in_time, "oplogSpanMin": 10},
            "storages": {
                "main": {
                    "type": "s3",
                    "main": True,
                    "s3": {"bucket": backup.bucket, "region": backup.region, "credentialsSecret": backup.secret},
                }
            },
            "tasks": [
                {
                    "name": "daily",
                    "enabled": True,
                    "schedule": backup.schedule,
                    "storageName": "main",
                    "retention": {"type": "count", "count": backup.keep, "deleteFromStorage": True},
                }
            ],
        }
    return spec


def _claim(settings: Settings) -> dict[str, Any]:
    claim: dict[str, Any] = {"resources": {"requests": {"storage": settings.storage.size}}}
    if settings.storage.class_name:
        claim["storageClassName"] = settings.storage.class_name
    return claim
