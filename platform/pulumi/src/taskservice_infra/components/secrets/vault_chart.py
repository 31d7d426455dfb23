"""Vault or OpenBao of several nodes, by the upstream chart: raft among them, TLS, opened by a key management service.

The charts are one another's kin: the same values under another name, which ``Distribution`` holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v4 import Chart

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets.keeper import VaultEndpoint
from taskservice_infra.config.secrets import AwsKms, AzureKeyVault, GcpKms, OpenBao, Seal, Transit, Vault

NAME = "vault"
PORT = 8200
TLS = "/vault/tls"


@dataclass(frozen=True)
class Distribution:
    """Where the chart is, and which user its image runs as."""

    chart: str
    repository: str
    user: int
    storage: str


VAULT = Distribution("vault", "https://helm.releases.hashicorp.com", 100, "/vault/data")
OPENBAO = Distribution("openbao", "https://openbao.github.io/openbao-helm", 100, "/openbao/data")


class VaultChartArgs(Args):
    """``settings``: which of the two, and how."""

    namespace: str
    settings: Vault | OpenBao


class VaultChart(pulumi.ComponentResource):
    """``endpoint``: how it is reached, by the certificate of ``tlsSecret``."""

    endpoint: VaultEndpoint

    def __init__(self, name: str, args: VaultChartArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:VaultChart", name, None, opts)
        self.args = args
        settings = args.settings
        self.distribution = OPENBAO if isinstance(settings, OpenBao) else VAULT
        domain = f"{args.namespace}.svc"
        self.endpoint = VaultEndpoint(
            f"https://{NAME}-active.{domain}:{PORT}",
            tuple(f"https://{NAME}-{node}.{NAME}-internal.{domain}:{PORT}" for node in range(settings.replicas)),
            settings.tls_secret,
        )
        self.chart = Chart(
            NAME,
            chart=self.distribution.chart,
            repository_opts={"repo": self.distribution.repository},
            version=settings.chart_version,
            namespace=args.namespace,
            # Nodes are ready only when they are open, which the bootstrap sees to.
            skip_await=True,
            values=self._values(),
            opts=child_of(self),
        )
        self.register_outputs({})

    def _values(self) -> dict[str, Any]:
        settings = self.args.settings
        security = {
            "pod": workloads.pod_security(self.distribution.user),
            "container": workloads.container_security(),
        }
        return {
            "fullnameOverride": NAME,
            "global": {"tlsDisable": False},
            "injector": {"enabled": False},
            "server": {
                "image": {"tag": settings.image_tag},
                "serviceAccount": {"create": True, "annotations": settings.service_account_annotations},
                "authDelegator": {"enabled": True},
                "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
                "statefulSet": {"securityContext": security},
                "extraEnvironmentVars": {
                    "VAULT_CACERT": f"{TLS}/ca.crt", "BAO_CACERT": f"{TLS}/ca.crt", "SKIP_SETCAP": "true",
                },
                "extraSecretEnvironmentVars": _seal_variables(settings.seal),
                "volumes": [{"name": "tls", "secret": {"secretName": settings.tls_secret}}],
                "volumeMounts": [{"name": "tls", "mountPath": TLS, "readOnly": True}],
                "dataStorage": {
                    "enabled": True,
                    "size": settings.storage.size,
                    "storageClass": settings.storage.class_name,
                },
                "auditStorage": {"enabled": False},  # to standard output, where logs are collected
                "ha": {
                    "enabled": True,
                    "replicas": settings.replicas,
                    "disruptionBudget": {"enabled": True},
                    "raft": {"enabled": True, "setNodeId": True, "config": self._configuration()},
                },
            },
        }  # fmt: skip

    def _configuration(self) -> str:
        settings = self.args.settings
        join = [
            {
                "leader_api_addr": node,
                "leader_ca_cert_file": f"{TLS}/ca.crt",
                "leader_tls_servername": f"{NAME}-internal",
            }
            for node in self.endpoint.nodes
        ]
        configuration: dict[str, Any] = {
            "ui": False,
            "disable_mlock": True,
            "listener": {
                "tcp": {
                    "address": "[::]:8200",
                    "cluster_address": "[::]:8201",
                    "tls_cert_file": f"{TLS}/tls.crt",
                    "tls_key_file": f"{TLS}/tls.key",
                }
            },
            "storage": {"raft": {"path": self.distribution.storage, "retry_join": join}},
            "seal": seal(settings.seal),
            "service_registration": {"kubernetes": {}},
        }
        if isinstance(settings, OpenBao):
            # OpenBao takes audit devices from its configuration only.
            configuration["audit"] = {"file": {"stdout": {"options": {"file_path": "stdout"}}}}
        return json.dumps(configuration, indent=2)


def seal(chosen: Seal) -> dict[str, dict[str, str]]:
    """The seal's stanza. It holds no credential: those come from the pod's identity, or from a Secret."""
    match chosen:
        case AwsKms():
            return {"awskms": {"region": chosen.region, "kms_key_id": chosen.key}}
        case GcpKms():
            names = {"project": chosen.project, "region": chosen.region}
            return {"gcpckms": {**names, "key_ring": chosen.key_ring, "crypto_key": chosen.key}}
        case AzureKeyVault():
            return {"azurekeyvault": {"tenant_id": chosen.tenant, "vault_name": chosen.vault, "key_name": chosen.key}}
        case Transit():
            return {"transit": {"address": chosen.address, "mount_path": chosen.mount, "key_name": chosen.key}}


def _seal_variables(chosen: Seal) -> list[dict[str, str]]:
    if not isinstance(chosen, Transit):
        return []
    return [{"envName": "VAULT_TOKEN", "secretName": chosen.token_secret, "secretKey": "token"}]
