"""Certificates and kubeconfigs, all made by kubeadm's own phases: none of it is ours to get wrong."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from taskservice_local.commands import run
from taskservice_local.parts import KUBERNETES, KUBERNETES_VERSION

# kubeadm refuses a loopback address here; where the API server is on loopback, this stands in and is never dialled.
UNUSED_ADDRESS = "192.0.2.1"


@dataclass(frozen=True)
class Identity:
    """What the certificates are made out to."""

    cluster: str
    node: str
    address: str  # where clients find the API server
    port: int
    services: str
    pods: str

    @property
    def loopback(self) -> bool:
        return self.address.startswith("127.")

    def document(self, pki: Path) -> str:
        """Return kubeadm's configuration; JSON documents are YAML."""
        api = "kubeadm.k8s.io/v1beta4"
        start = {
            "apiVersion": api,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {
                "advertiseAddress": UNUSED_ADDRESS if self.loopback else self.address,
                "bindPort": self.port,
            },
            "nodeRegistration": {"name": self.node, "criSocket": "unix:///run/none.sock"},
        }
        cluster = {
            "apiVersion": api,
            "kind": "ClusterConfiguration",
            "clusterName": self.cluster,
            "kubernetesVersion": KUBERNETES_VERSION,  # else kubeadm asks the internet
            "certificatesDir": str(pki),
            "controlPlaneEndpoint": f"{self.address}:{self.port}",
            "networking": {"serviceSubnet": self.services, "podSubnet": self.pods, "dnsDomain": "cluster.local"},
            "apiServer": {"certSANs": ["127.0.0.1", "localhost", self.address]},
            "encryptionAlgorithm": "ECDSA-P256",  # RSA keys would take seconds
        }
        return json.dumps(start) + "\n---\n" + json.dumps(cluster) + "\n"


def ensure(identity: Identity, pki: Path, kubeconfigs: Path) -> None:
    """Make all certificates and kubeconfigs that are not there yet. Raises LocalError when kubeadm fails."""
    done = kubeconfigs / "done"
    if done.exists():
        return
    for folder in (pki, kubeconfigs):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    config = kubeconfigs / "kubeadm.yaml"
    config.write_text(identity.document(pki))
    kubeadm = KUBERNETES.binary("kubeadm")
    run([kubeadm, "init", "phase", "certs", "all", "--config", config])
    run([kubeadm, "init", "phase", "kubeconfig", "all", "--config", config, "--kubeconfig-dir", kubeconfigs])
    if identity.loopback:
        # The programs beside the API server are pointed at its own address rather than the clients'.
        for file in kubeconfigs.glob("*.conf"):
            write_private(file, file.read_text().replace(f"//{UNUSED_ADDRESS}:", f"//{identity.address}:"))
    proxy = run([kubeadm, "kubeconfig", "user", "--client-name", "system:kube-proxy", "--config", config])
    write_private(kubeconfigs / "kube-proxy.conf", proxy)
    done.touch()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    partial.replace(path)
