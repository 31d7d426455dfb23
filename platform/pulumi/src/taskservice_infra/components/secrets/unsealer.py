"""The keeper's one Deployment: opens Vault after each restart of its pod, and tells of it and of backups as metrics.

Where Vault opens itself, it gives no keys and still tells.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets import keeper
from taskservice_infra.components.secrets.keeper import KEYS, VaultEndpoint

NAME = "vault-unsealer"
METRICS_PORT = 9090


class UnsealerArgs(Args):
    """``records``: where each kind of backup leaves its record, as (namespace, ConfigMap) by target."""

    namespace: str
    image: str | pulumi.Output[str]
    endpoint: VaultEndpoint
    records: dict[str, tuple[str, str]]


class Unsealer(pulumi.ComponentResource):
    """Available as soon as it watches, whether or not there is something to open."""

    def __init__(self, name: str, args: UnsealerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:Unsealer", name, None, opts)
        self.args = args
        account = ServiceAccount(
            NAME, metadata=self._metadata(), automount_service_account_token=False, opts=child_of(self)
        )
        self._may_read(args.namespace, "secrets", [KEYS])
        for namespace in sorted({namespace for namespace, _ in args.records.values()}):
            names = sorted(name for place, name in args.records.values() if place == namespace)
            self._may_read(namespace, "configmaps", names)
        ports: Any = {
            "selector": workloads.selector(NAME),
            "ports": [{"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}],
        }
        Service(
            NAME,
            metadata=self._metadata(),
            spec=ports,
            opts=child_of(self),
        )
        Deployment(NAME, metadata=self._metadata(), spec=self._spec(), opts=child_of(self, depends_on=[account]))
        self.register_outputs({})

    def _metadata(self, namespace: str | None = None, name: str = NAME) -> Any:
        return {"name": name, "namespace": namespace or self.args.namespace, "labels": workloads.labels(NAME)}

    def _may_read(self, namespace: str, kind: str, names: list[str]) -> None:
        name = f"{NAME}-{kind}"
        metadata = self._metadata(namespace, name)
        rules: Any = [{"api_groups": [""], "resources": [kind], "verbs": ["get"], "resource_names": names}]
        role = Role(f"{name}-{namespace}", metadata=metadata, rules=rules, opts=child_of(self))
        RoleBinding(
            f"{name}-{namespace}",
            metadata=metadata,
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": self.args.namespace}],
            opts=child_of(self, depends_on=[role]),
        )

    def _spec(self) -> Any:
        endpoint, records = self.args.endpoint, sorted(self.args.records.items())
        arguments = [
            "vault", "unseal", *(f"--address={node}" for node in endpoint.nodes), *endpoint.ca_arguments(),
            f"--keys={self.args.namespace}/{KEYS}", f"--port={METRICS_PORT}",
            *(f"--record={target}={namespace}/{name}" for target, (namespace, name) in records),
        ]  # fmt: skip
        template: Any = keeper.pod(
            NAME,
            self.args.image,
            arguments,
            service_account=NAME,
            endpoint=endpoint,
            ports=[{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
            restart="Always",
        )
        probe = {"httpGet": {"path": "/metrics", "port": "metrics"}, "periodSeconds": 10, "timeoutSeconds": 5}
        container = template["spec"]["containers"][0]
        container["startupProbe"] = {**probe, "periodSeconds": 1, "failureThreshold": 120}
        container["readinessProbe"] = probe
        container["livenessProbe"] = {**probe, "failureThreshold": 6}
        return {"replicas": 1, "selector": {"matchLabels": workloads.selector(NAME)}, "template": template}
