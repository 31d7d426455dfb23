"""The CronJob that saves MongoDB: a dump of the whole replica set at one moment, on a volume of its own."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.batch.v1 import CronJob
from pulumi_kubernetes.core.v1 import PersistentVolumeClaim, Secret, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.data import MongoDbBackup as Settings

NAME = "mongodb-backup"
URL = "KEEPER_MONGODB_URL"


class MongoDbBackupArgs(Args):
    """``image``: of the keeper, a full reference; ``url``: of a user that may back up, secret.

    ``restore_url``: of a user that may apply operations, too (``anyAction`` on ``anyResource``, or the members' own),
    secret; a restore is run by hand with it.
    """

    namespace: str
    settings: Settings
    image: str | pulumi.Output[str]
    url: pulumi.Output[str]
    restore_url: pulumi.Output[str]


class MongoDbBackup(pulumi.ComponentResource):
    """Its record is a ConfigMap of the same name; a restore takes its pod from the CronJob (``restore mongodb``)."""

    def __init__(self, name: str, args: MongoDbBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:data:MongoDbBackup", name, None, opts)
        self.args = args
        metadata: Any = self._metadata(NAME)
        secrets = [
            Secret(each, metadata=self._metadata(each), string_data={URL: url}, opts=child_of(self))
            for each, url in {NAME: args.url, f"{NAME}-restore": args.restore_url}.items()
        ]
        account = ServiceAccount(NAME, metadata=metadata, automount_service_account_token=False, opts=child_of(self))
        rules: Any = [
            {"api_groups": [""], "resources": ["configmaps"], "verbs": ["create"]},
            {"api_groups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"], "resource_names": [NAME]},
        ]
        role = Role(NAME, metadata=metadata, rules=rules, opts=child_of(self))
        binding = RoleBinding(
            NAME,
            metadata=metadata,
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": args.namespace}],
            opts=child_of(self),
        )
        storage = args.settings.storage
        # A class may wait for the first pod before it binds a claim: that pod comes with the schedule.
        waiting: Any = {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}
        volume = PersistentVolumeClaim(
            NAME,
            metadata=waiting,
            spec=workloads.claim(NAME, storage.size, storage.class_name)["spec"],
            opts=child_of(self),
        )
        spec: Any = {
            "schedule": args.settings.schedule,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {"backoffLimit": 3, "activeDeadlineSeconds": 6 * 3600, "template": self._template()}
            },
        }
        CronJob(
            NAME,
            metadata=metadata,
            spec=spec,
            opts=child_of(self, depends_on=[*secrets, account, role, binding, volume]),
        )
        self.register_outputs({})

    def _metadata(self, name: str) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(NAME)}

    def _template(self) -> Any:
        settings = self.args.settings
        container = {
            "name": "keeper",
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "args": [
                "mongodb", "backup", "--folder=/backups", f"--keep={settings.keep}",
                f"--keep-days={settings.keep_days}", f"--record={self.args.namespace}/{NAME}",
            ],
            "env": [{"name": URL, "valueFrom": {"secretKeyRef": {"name": NAME, "key": URL}}}],
            "securityContext": workloads.container_security(),
            "resources": {"requests": {"cpu": "25m", "memory": "96Mi"}, "limits": {"memory": settings.memory}},
            "volumeMounts": [{"name": "backups", "mountPath": "/backups"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
        }  # fmt: skip
        spec = {
            "restartPolicy": "Never",
            "serviceAccountName": NAME,
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "securityContext": workloads.pod_security(),
            "containers": [container],
            "volumes": [
                {"name": "backups", "persistentVolumeClaim": {"claimName": NAME}},
                # Holds the address with its password while the tool runs.
                {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            ],
        }
        return {"metadata": {"labels": workloads.labels(NAME)}, "spec": spec}
