"""Vault for development: one node with raft storage on a volume, which the keeper initializes and opens.

Raft although it is one node, because only raft storage can be saved by a snapshot while it is in use.
"""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import ConfigMap, Service, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRoleBinding

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets.keeper import VaultEndpoint, fingerprint
from taskservice_infra.config.secrets import VaultDev as Settings

NAME = "vault"
PORT = 8200


class VaultDevArgs(Args):
    """``image``: a full reference."""

    namespace: str
    settings: Settings
    image: str


class VaultDev(pulumi.ComponentResource):
    """``endpoint``: how it is reached; ``server``: the StatefulSet, which is not ready before somebody opens Vault."""

    endpoint: VaultEndpoint
    server: StatefulSet

    def __init__(self, name: str, args: VaultDevArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:VaultDev", name, None, opts)
        self.args = args
        node = f"http://{NAME}-0.{NAME}-internal.{args.namespace}.svc.cluster.local:{PORT}"
        self.endpoint = VaultEndpoint(f"http://{NAME}.{args.namespace}.svc.cluster.local:{PORT}", (node,))
        account = ServiceAccount(
            NAME, metadata=self._metadata(NAME), automount_service_account_token=False, opts=child_of(self)
        )
        # Vault asks the API server whether a token that somebody logs in with is good.
        ClusterRoleBinding(
            f"{NAME}-reviews-tokens",
            metadata={"name": f"{args.namespace}-{NAME}-reviews-tokens", "labels": workloads.labels(NAME)},
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
            subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": args.namespace}],
            opts=child_of(self),
        )
        configuration = self._configuration(node)
        files = ConfigMap(
            f"{NAME}-config",
            metadata=self._metadata(f"{NAME}-config"),
            data={"vault.json": json.dumps(configuration, indent=2)},
            opts=child_of(self),
        )
        services = [
            Service(NAME, metadata=self._metadata(NAME), spec=self._service(), opts=child_of(self)),
            Service(
                f"{NAME}-internal",
                metadata=self._metadata(f"{NAME}-internal"),
                spec=self._service(clusterIP="None"),
                opts=child_of(self),
            ),
        ]
        self.server = StatefulSet(
            NAME,
            # It is ready only when it is open, which the bootstrap sees to: nobody waits for it here.
            metadata=self._metadata(NAME, annotations={"pulumi.com/skipAwait": "true"}),
            spec=self._spec(fingerprint(configuration)),
            opts=child_of(self, depends_on=[account, files, *services]),
        )
        self.register_outputs({})

    def _metadata(self, name: str, **more: Any) -> Any:
        return {"name": name, "namespace": self.args.namespace, "labels": workloads.labels(NAME), **more}

    def _configuration(self, node: str) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "ui": False,
            # Locking memory takes a capability that no pod has here; the node has no swap.
            "disable_mlock": True,
            "api_addr": self.endpoint.address,
            "cluster_addr": node.replace(f":{PORT}", f":{PORT + 1}"),
            "listener": {"tcp": {"address": f"0.0.0.0:{PORT}", "tls_disable": True}},
            "storage": {"raft": {"path": "/vault/data", "node_id": f"{NAME}-0"}},
        }
        if self.args.settings.program == "bao":
            # OpenBao takes audit devices from its configuration only.
            configuration["audit"] = {"file": {"stdout": {"options": {"file_path": "stdout"}}}}
        return configuration

    def _service(self, **more: str) -> Any:
        return {
            # A sealed Vault says so to whoever asks, and the keeper must reach it to open it.
            "publishNotReadyAddresses": True,
            "selector": workloads.selector(NAME),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
            **more,
        }

    def _spec(self, configuration: str) -> Any:
        settings = self.args.settings
        health = "/v1/sys/health?standbyok=true"
        container = {
            "name": NAME,
            "image": self.args.image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["server", "-config=/vault/config/vault.json"],
            "env": [
                {"name": "HOME", "value": "/tmp"},  # noqa: S108 - a volume of the pod
                # For upstream's images, whose entry point would ask for a capability.
                {"name": "SKIP_SETCAP", "value": "true"},
            ],
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": {
                "httpGet": {"path": f"{health}&sealedcode=204&uninitcode=204", "port": "http"},
                "periodSeconds": 1, "failureThreshold": 180,
            },
            "readinessProbe": {"httpGet": {"path": health, "port": "http"}, "periodSeconds": 2, "timeoutSeconds": 5},
            "livenessProbe": {
                "httpGet": {"path": f"{health}&sealedcode=204&uninitcode=204", "port": "http"},
                "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 6,
            },
            "securityContext": workloads.container_security(),
            "resources": {"requests": {"cpu": "25m", "memory": "96Mi"}, "limits": {"memory": settings.memory}},
            "volumeMounts": [
                {"name": "data", "mountPath": "/vault/data"},
                {"name": "config", "mountPath": "/vault/config", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod
            ],
        }  # fmt: skip
        pod = {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 10,
            "securityContext": workloads.pod_security(),
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": f"{NAME}-config"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        }
        return {
            "replicas": 1,
            "serviceName": f"{NAME}-internal",
            "selector": {"matchLabels": workloads.selector(NAME)},
            "template": {
                "metadata": {
                    "labels": workloads.labels(NAME),
                    "annotations": {"taskservice.dev/configuration": configuration},
                },
                "spec": pod,
            },
            "volumeClaimTemplates": [workloads.claim("data", settings.storage.size, settings.storage.class_name)],
        }
