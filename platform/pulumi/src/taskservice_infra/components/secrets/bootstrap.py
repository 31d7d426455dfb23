"""The Job that makes a Vault what it should be, from whatever it is; run anew whenever that changes."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding
from pydantic import Field

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets import keeper
from taskservice_infra.components.secrets.keeper import KEYS, VaultEndpoint

# A Vault may have to elect a leader, or a key management service be asked, before it answers.
PATIENCE_SECONDS = 900


class BootstrapArgs(Args):
    """``desired``: what Vault should hold, as ``taskservice_keeper.vault.desired`` describes it, without any value.

    ``inputs``: names of Secrets in the namespace whose fields ``desired`` quotes; ``inputs_version`` changes when they
    do. ``name``: of the Job and what belongs to it, so that two projects can each run their own.
    """

    namespace: str
    name: str
    image: str | pulumi.Output[str]
    endpoint: VaultEndpoint | pulumi.Output[VaultEndpoint]
    desired: dict[str, Any] | pulumi.Output[dict[str, Any]]
    shares: int = 1
    threshold: int = 1
    inputs: tuple[str, ...] = ()
    inputs_version: str | pulumi.Output[str] = ""
    after: list[pulumi.Resource] = Field(default_factory=list)


class Bootstrap(pulumi.ComponentResource):
    """``done``: the Job, once it has ended well."""

    done: Job

    def __init__(self, name: str, args: BootstrapArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:Bootstrap", name, None, opts)
        self.args = args
        access = self._access()
        files = ConfigMap(
            f"{args.name}-desired",
            metadata=self._metadata(f"{args.name}-desired"),
            data={"desired.json": pulumi.Output.from_input(args.desired).apply(_text)},
            opts=child_of(self),
        )
        # Another project's outputs are known only while the engine runs.
        template = pulumi.Output.all(args.image, args.endpoint, args.desired, args.inputs_version).apply(
            lambda known: self._template(*known)
        )
        spec: Any = {"backoffLimit": 6, "activeDeadlineSeconds": PATIENCE_SECONDS, "template": template}
        self.done = Job(
            args.name,
            metadata=self._metadata(args.name),
            spec=spec,
            opts=child_of(
                self,
                depends_on=[*access, files, *args.after],
                # Its template cannot change: what it does not say any more is done by a new one of the same name.
                replace_on_changes=["spec"],
                delete_before_replace=True,
            ),
        )
        self.register_outputs({})

    def _template(self, image: str, endpoint: VaultEndpoint, desired: dict[str, Any], inputs_version: str) -> Any:
        args = self.args
        template = keeper.pod(
            args.name,
            image,
            [
                "vault", "bootstrap", *endpoint.arguments(), f"--keys={args.namespace}/{KEYS}",
                "--desired=/etc/keeper/desired.json", f"--shares={args.shares}", f"--threshold={args.threshold}",
            ],
            service_account=args.name,
            endpoint=endpoint,
            volumes=[{"name": "desired", "configMap": {"name": f"{args.name}-desired"}}],
            mounts=[{"name": "desired", "mountPath": "/etc/keeper", "readOnly": True}],
            restart="OnFailure",
        )  # fmt: skip
        template["metadata"]["annotations"] = {
            "taskservice.dev/desired": keeper.fingerprint(desired, args.shares, args.threshold),
            "taskservice.dev/inputs": inputs_version,
        }
        return template

    def _metadata(self, name: str) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(self.args.name)}

    def _access(self) -> list[pulumi.Resource]:
        """Its account, which alone may make the Secret of the keys, and with the unsealer's alone read it."""
        name, metadata = self.args.name, self._metadata(self.args.name)
        account = ServiceAccount(name, metadata=metadata, automount_service_account_token=False, opts=child_of(self))
        rules: Any = [
            # No name can be given for what is yet to be made.
            {"api_groups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"api_groups": [""], "resources": ["secrets"], "verbs": ["get", "patch"], "resource_names": [KEYS]},
        ]
        if self.args.inputs:
            names = list(self.args.inputs)
            rules.append({"api_groups": [""], "resources": ["secrets"], "verbs": ["get"], "resource_names": names})
        role = Role(name, metadata=metadata, rules=rules, opts=child_of(self))
        return [account, role, bind(self, name, self.args.namespace, metadata)]


def _text(desired: dict[str, Any]) -> str:
    return json.dumps(desired, indent=2, sort_keys=True)


def bind(component: pulumi.ComponentResource, name: str, namespace: str, metadata: Any) -> RoleBinding:
    """Give the Role of a name to the ServiceAccount of the same name."""
    return RoleBinding(
        name,
        metadata=metadata,
        role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        opts=child_of(component),
    )
