"""A collector on each node: it reads the lines of the node's pods, and takes spans from everywhere.

It reads the host's log folder, so it has a namespace of its own that allows that, and runs as root there: kubelet's
folders belong to root.  It may write nothing and has no other right.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet
from pulumi_kubernetes.core.v1 import ConfigMap, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.observability.standing import CONFIG, digest
from taskservice_infra.config.observability import CollectorLocal as Settings

NAME = "otel-collector"
GRPC, HTTP, HEALTH = 4317, 4318, 13133
LOGS = "/var/log/pods"


class CollectorArgs(Args):
    """``configuration``: its file; ``namespace``: one that allows folders of the host; ``logs``: which folder."""

    namespace: str
    settings: Settings
    image: str
    configuration: str
    logs: str


class Collector(pulumi.ComponentResource):
    """``endpoint``: where services send their spans, OTLP over HTTP."""

    endpoint: pulumi.Output[str]

    def __init__(self, name: str, args: CollectorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:Collector", name, None, opts)
        self.args = args
        metadata: Any = {"name": NAME, "namespace": args.namespace, "labels": workloads.labels(NAME)}
        files = {"collector.yaml": args.configuration}
        before = [ConfigMap(NAME, metadata=metadata, data=files, opts=child_of(self)), *self._account(metadata)]
        ports: Any = [
            {"name": "otlp-grpc", "port": GRPC, "target_port": "otlp-grpc"},
            {"name": "otlp-http", "port": HTTP, "target_port": "otlp-http"},
        ]
        Service(
            NAME, metadata=metadata, spec={"selector": workloads.selector(NAME), "ports": ports}, opts=child_of(self)
        )
        agents = DaemonSet(
            NAME,
            metadata=metadata,
            spec={
                "selector": {"matchLabels": workloads.selector(NAME)},
                "template": {
                    "metadata": {
                        "labels": workloads.labels(NAME),
                        "annotations": {"taskservice.dev/config": digest(files)},
                    },
                    "spec": self._pod(),
                },
            },  # pyright: ignore[reportArgumentType]
            opts=child_of(self, depends_on=before),
        )
        self.endpoint = agents.id.apply(lambda _: f"http://{NAME}.{args.namespace}.svc.cluster.local:{HTTP}")
        self.register_outputs({"endpoint": self.endpoint})

    def _account(self, metadata: Any) -> list[pulumi.Resource]:
        """An account that may look up which pod a line or a span is of."""
        account = ServiceAccount(NAME, metadata=metadata, opts=child_of(self))
        cluster_wide: Any = {"name": f"taskservice-{NAME}", "labels": metadata["labels"]}
        role = ClusterRole(
            f"taskservice-{NAME}",
            metadata=cluster_wide,
            rules=[{"api_groups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list", "watch"]}],
            opts=child_of(self),
        )
        binding = ClusterRoleBinding(
            f"taskservice-{NAME}",
            metadata=cluster_wide,
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"taskservice-{NAME}"},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": metadata["namespace"]}],
            opts=child_of(self, depends_on=[account, role]),
        )
        return [account, binding]

    def _pod(self) -> dict[str, Any]:
        container = {
            "name": NAME,
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "args": [f"--config={CONFIG}/collector.yaml"],
            "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
            "ports": [
                {"name": "otlp-grpc", "containerPort": GRPC, "protocol": "TCP"},
                {"name": "otlp-http", "containerPort": HTTP, "protocol": "TCP"},
            ],
            "readinessProbe": {"httpGet": {"path": "/", "port": HEALTH}, "periodSeconds": 3},
            "securityContext": {**workloads.container_security(), "runAsUser": 0},
            "resources": {
                "requests": {"cpu": "10m", "memory": "64Mi"},
                "limits": {"memory": self.args.settings.memory},
            },
            "volumeMounts": [
                {"name": "config", "mountPath": CONFIG, "readOnly": True},
                {"name": "logs", "mountPath": LOGS, "readOnly": True},
            ],
        }
        return {
            "serviceAccountName": NAME,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 10,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": NAME}},
                {"name": "logs", "hostPath": {"path": self.args.logs, "type": "DirectoryOrCreate"}},
            ],
        }
