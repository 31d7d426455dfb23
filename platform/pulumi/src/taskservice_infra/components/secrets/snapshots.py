"""The CronJob that saves Vault: a snapshot of its storage, encrypted by Vault itself, on a volume of its own."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.batch.v1 import CronJob
from pulumi_kubernetes.core.v1 import PersistentVolumeClaim, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets import keeper
from taskservice_infra.components.secrets.bootstrap import bind
from taskservice_infra.components.secrets.keeper import TOKEN_FOLDER, VaultEndpoint
from taskservice_infra.config.secrets import Snapshots as Settings

NAME = "vault-snapshots"
ROLE = "keeper-snapshots"
"""Of Vault's Kubernetes auth method, made by the bootstrap; it may take snapshots and nothing else."""


class SnapshotsArgs(Args):
    """``audience``: of the token that it logs in to Vault with."""

    namespace: str
    settings: Settings
    image: str | pulumi.Output[str]
    endpoint: VaultEndpoint
    audience: str


class Snapshots(pulumi.ComponentResource):
    """Its record is a ConfigMap of the same name."""

    def __init__(self, name: str, args: SnapshotsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:Snapshots", name, None, opts)
        self.args = args
        metadata: Any = {"name": NAME, "namespace": args.namespace, "labels": workloads.labels(NAME)}
        account = ServiceAccount(NAME, metadata=metadata, automount_service_account_token=False, opts=child_of(self))
        rules: Any = [
            {"api_groups": [""], "resources": ["configmaps"], "verbs": ["create"]},
            {"api_groups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"], "resource_names": [NAME]},
        ]
        role = Role(NAME, metadata=metadata, rules=rules, opts=child_of(self))
        binding = bind(self, NAME, args.namespace, metadata)
        storage = args.settings.storage
        # A class may wait for the first pod before it binds a claim: that pod comes with the schedule.
        waiting: Any = {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}
        volume = PersistentVolumeClaim(
            NAME,
            metadata=waiting,
            spec=keeper.claim_spec(storage.size, storage.class_name),
            opts=child_of(self),
        )
        spec: Any = {
            "schedule": args.settings.schedule,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": {"backoffLimit": 3, "activeDeadlineSeconds": 3600, "template": self._template()}},
        }
        CronJob(
            NAME,
            metadata=metadata,
            spec=spec,
            opts=child_of(self, depends_on=[account, role, binding, volume]),
        )
        self.register_outputs({})

    def _template(self) -> Any:
        settings = self.args.settings
        volume, mount = keeper.shelf(NAME)
        token = {"serviceAccountToken": {"audience": self.args.audience, "path": "token", "expirationSeconds": 3600}}
        return keeper.pod(
            NAME,
            self.args.image,
            [
                "vault", "snapshot", *self.args.endpoint.arguments(), f"--role={ROLE}",
                f"--token-file={TOKEN_FOLDER}/token", "--folder=/backups", f"--keep={settings.keep}",
                f"--keep-days={settings.keep_days}", f"--record={self.args.namespace}/{NAME}",
            ],
            service_account=NAME,
            endpoint=self.args.endpoint,
            volumes=[volume, {"name": "vault-token", "projected": {"sources": [token]}}],
            mounts=[mount, {"name": "vault-token", "mountPath": TOKEN_FOLDER, "readOnly": True}],
        )  # fmt: skip
