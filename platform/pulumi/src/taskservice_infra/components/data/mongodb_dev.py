"""MongoDB for development: a replica set of mongod with authentication, made and given its users by a Job."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, Secret, Service

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.data import MongoDbDev as Settings

NAME = "mongodb"
PORT = 27017
REPLICA_SET = "rs0"
ROLES: dict[str, list[dict[str, str]]] = {
    "taskservice": [{"role": "readWrite", "db": "taskservice"}],
    "backup": [{"role": role, "db": "admin"} for role in ("backup", "restore", "clusterMonitor")],
    "vault": [{"role": role, "db": "admin"} for role in ("userAdminAnyDatabase", "readWriteAnyDatabase")],
}
"""The users there are, and what each of them may do."""


class MongoDbDevArgs(Args):
    """``image``, ``init_image``: full references.  ``init_script``: Python that makes the replica set and the users.

    ``keyfile``: what the members show each other; ``passwords``: of each user in ``ROLES``; both secret.
    """

    namespace: str
    settings: Settings
    image: str
    init_image: str
    init_script: str
    keyfile: pulumi.Output[str]
    passwords: dict[str, pulumi.Output[str]]


class MongoDbDev(pulumi.ComponentResource):
    """``urls``: the address for each user, secret, known once the replica set has its users.

    ``internal_url``: for the members' own user, who may do anything; a restore needs that.
    """

    urls: dict[str, pulumi.Output[str]]
    internal_url: pulumi.Output[str]

    def __init__(self, name: str, args: MongoDbDevArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:MongoDbDev", name, None, opts)
        self.args = args
        secret = Secret(
            f"{NAME}-admin",
            metadata=self._metadata(f"{NAME}-admin"),
            string_data={
                "keyfile": args.keyfile,
                "users": self._users(),
                **{password_key(user): password for user, password in args.passwords.items()},
            },
            opts=child_of(self),
        )
        service = Service(NAME, metadata=self._metadata(NAME), spec=_service(), opts=child_of(self))
        members = StatefulSet(
            NAME,
            metadata=self._metadata(NAME),
            spec=self._members(),
            opts=child_of(self, depends_on=[secret, service]),
        )
        script = ConfigMap(
            f"{NAME}-init",
            metadata=self._metadata(f"{NAME}-init"),
            data={"mongo_init.py": args.init_script},
            opts=child_of(self),
        )
        # A Job's template cannot change: what it depends on is in its name.
        fingerprint = hashlib.sha256(json.dumps([self._hosts(), args.init_script, ROLES]).encode()).hexdigest()[:8]
        initialized = Job(
            f"{NAME}-init",
            metadata=self._metadata(f"{NAME}-init-{fingerprint}"),
            spec=self._init(),
            # It has done its work: a later image of the services would do the same.
            opts=child_of(
                self, depends_on=[members, script], ignore_changes=["spec.template.spec.containers[0].image"],
                delete_before_replace=True,
            ),
        )  # fmt: skip
        self.urls = {user: self._url(user, password, initialized) for user, password in args.passwords.items()}
        self.internal_url = self._url(
            "__system", args.keyfile, initialized, "authSource=local&authMechanism=SCRAM-SHA-256"
        )
        self.register_outputs({})

    def _metadata(self, name: str) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(NAME)}

    def _hosts(self) -> str:
        domain = f"{NAME}.{self.args.namespace}.svc.cluster.local:{PORT}"
        return ",".join(f"{NAME}-{member}.{domain}" for member in range(self.args.settings.replicas))

    def _users(self) -> pulumi.Output[str]:
        def listed(passwords: dict[str, str]) -> str:
            users = [{"name": user, "password": passwords[user], "roles": ROLES[user]} for user in sorted(passwords)]
            return json.dumps(users)

        return pulumi.Output.all(**self.args.passwords).apply(listed)

    def _url(
        self, user: str, password: pulumi.Output[str], after: Job, proof: str = "authSource=admin"
    ) -> pulumi.Output[str]:
        hosts = self._hosts()
        address = pulumi.Output.all(password, after.id).apply(
            lambda known: f"mongodb://{user}:{known[0]}@{hosts}/?replicaSet={REPLICA_SET}&{proof}"
        )
        return pulumi.Output.secret(address)

    def _members(self) -> Any:
        settings = self.args.settings
        spec: dict[str, Any] = {
            "replicas": settings.replicas,
            "serviceName": NAME,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": workloads.selector(NAME)},
            "template": {"metadata": {"labels": workloads.labels(NAME)}, "spec": self._pod()},
        }
        if settings.storage.size:
            spec["volumeClaimTemplates"] = [workloads.claim("data", settings.storage.size, settings.storage.class_name)]
        return spec

    def _pod(self) -> dict[str, Any]:
        security = workloads.container_security()
        # mongod refuses a key file that its group can read, which is all that a Secret volume can offer.
        install = {
            "name": "keyfile",
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", "install -m 0400 /secret/keyfile /keyfile/key"],
            "securityContext": security,
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "volumeMounts": [
                {"name": "admin", "mountPath": "/secret", "readOnly": True},
                {"name": "keyfile", "mountPath": "/keyfile"},
            ],
        }
        volumes: list[dict[str, Any]] = [
            {
                "name": "admin",
                "secret": {"secretName": f"{NAME}-admin", "items": [{"key": "keyfile", "path": "keyfile"}]},
            },
            {"name": "keyfile", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "tmp", "emptyDir": {}},
        ]
        if not self.args.settings.storage.size:
            volumes.append({"name": "data", "emptyDir": {}})
        return {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 30,
            "securityContext": workloads.pod_security(),
            "initContainers": [install],
            "containers": [self._mongod(security)],
            "volumes": volumes,
        }

    def _mongod(self, security: dict[str, Any]) -> dict[str, Any]:
        settings = self.args.settings
        return {
            "name": "mongod",
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["mongod"],
            "args": [
                f"--replSet={REPLICA_SET}",
                "--bind_ip_all",
                f"--port={PORT}",
                "--dbpath=/data/db",
                "--nounixsocket",
                "--keyFile=/keyfile/key",
                f"--wiredTigerCacheSizeGB={settings.cache_size_gb}",
                f"--oplogSize={settings.oplog_size_mb}",
            ],
            "ports": [{"name": "mongo", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": {"tcpSocket": {"port": "mongo"}, "periodSeconds": 1, "failureThreshold": 120},
            "readinessProbe": {"tcpSocket": {"port": "mongo"}, "periodSeconds": 5},
            "securityContext": security,
            "resources": {"requests": {"cpu": "50m", "memory": "192Mi"}, "limits": {"memory": settings.memory}},
            "volumeMounts": [
                {"name": "data", "mountPath": "/data/db"},
                {"name": "keyfile", "mountPath": "/keyfile", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of its pod
            ],
        }

    def _init(self) -> Any:
        def secret(variable: str, key: str) -> dict[str, Any]:
            return {"name": variable, "valueFrom": {"secretKeyRef": {"name": f"{NAME}-admin", "key": key}}}

        container = {
            "name": "init",
            "image": self.args.init_image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "/scripts/mongo_init.py"],
            "env": [
                {"name": "MONGO_MEMBERS", "value": self._hosts()},
                secret("MONGO_KEYFILE", "keyfile"),
                secret("MONGO_USERS", "users"),
            ],
            "securityContext": workloads.container_security(),
            "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "128Mi"}},
            "volumeMounts": [{"name": "scripts", "mountPath": "/scripts", "readOnly": True}],
        }
        return {
            "backoffLimit": 6,
            "template": {
                "metadata": {"labels": workloads.labels(f"{NAME}-init")},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": workloads.pod_security(),
                    "containers": [container],
                    "volumes": [{"name": "scripts", "configMap": {"name": f"{NAME}-init"}}],
                },
            },
        }


def password_key(user: str) -> str:
    """The key of the Secret that holds a user's password alone, for what runs beside the database."""
    return "password" if user == "taskservice" else f"{user}-password"


def _service() -> Any:
    return {
        "clusterIP": "None",
        # Members must find each other before any of them is ready.
        "publishNotReadyAddresses": True,
        "selector": workloads.selector(NAME),
        "ports": [{"name": "mongo", "port": PORT, "targetPort": "mongo", "protocol": "TCP"}],
    }
