"""A real Vault in a pod of the cluster, with TLS, and an operator that knows of it, for end-to-end tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taskservice_demo.stage import OPERATOR_NAMESPACE, add_images, install_operator
from testkit.live import Live
from testkit.vault_hands import VaultHands, make_certificate

NAME, PORT = "vault", 8200
POLL_SECONDS = 2


@contextmanager
def vault_in(live: Live, folder: Path) -> Iterator[VaultHands]:
    """A Vault in a namespace, unsealed, which asks the cluster about tokens; afterwards the operator forgets it."""
    stage = add_images(live.stage, NAME)
    live.apply(_service(), {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}})
    address = stage.target(live.namespace, NAME).host
    host = f"{NAME}.{live.namespace}.svc"
    certificate, key = make_certificate(folder, [address], [host])
    authorities = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "vault-ca"}}
    authorities["data"] = {"ca.crt": certificate.read_text()}
    reviewer = f"{live.namespace}-vault-reviewer"
    live.apply(_binding(reviewer, live.namespace), _secret(certificate, key), _deployment(stage.images[NAME]))
    stage.kubectl("apply", "-n", OPERATOR_NAMESPACE, "-f", "-", input=json.dumps(authorities))
    try:
        live.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
        hands = VaultHands(f"https://{address}:{PORT}", certificate)
        hands.initialize()
        hands.trust_cluster("https://kubernetes.default.svc")
        install_operator(
            stage,
            f"vault.address=https://{host}:{PORT}",
            "vault.caConfigMap=vault-ca",
            f"vault.pollSeconds={POLL_SECONDS}",
        )
        yield hands
    finally:
        install_operator(stage)
        stage.kubectl("delete", "clusterrolebinding", reviewer, "--ignore-not-found")
        stage.kubectl("delete", "configmap", "vault-ca", "-n", OPERATOR_NAMESPACE, "--ignore-not-found")


def _binding(name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
    }


def _service() -> dict[str, Any]:
    spec = {"selector": {"app": NAME}, "ports": [{"port": PORT, "targetPort": PORT}], "publishNotReadyAddresses": True}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}


def _secret(certificate: Path, key: Path) -> dict[str, Any]:
    configuration = {
        "storage": {"inmem": {}},
        "listener": {
            "tcp": {
                "address": f"[::]:{PORT}",
                "tls_cert_file": "/etc/vault/tls.crt",
                "tls_key_file": "/etc/vault/tls.key",
            }
        },
        "disable_mlock": True,
        "ui": False,
    }
    contents = {"tls.crt": certificate.read_text(), "tls.key": key.read_text(), "vault.json": json.dumps(configuration)}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in contents.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "data": data}


def _deployment(image: str) -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": image,
        "args": ["server", "-config=/etc/vault/vault.json"],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/vault", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    pod = {
        "serviceAccountName": NAME,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "config", "secret": {"secretName": NAME}}, {"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
        },
    }
