"""The control plane's programs and their flags: etcd, kube-apiserver, kube-controller-manager.

Shared by the built cluster and by the bare control plane of integration tests. Pure: builds command lines, runs none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from taskservice_local.parts import ETCD, KUBERNETES


@dataclass(frozen=True)
class Component:
    """One program to keep running: its command line, and the files it reads, written before it starts."""

    name: str
    argv: tuple[str, ...]
    files: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoints:
    """Addresses of one control plane; `bind` is where the API server listens."""

    bind: str
    advertise: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    services: str
    pods: str


def etcd(at: Endpoints, pki: Path, data: Path) -> Component:
    """Return etcd, on loopback, without syncing to disk: a local cluster's data is not worth the wait."""
    client, peer = f"https://127.0.0.1:{at.etcd_port}", f"https://127.0.0.1:{at.etcd_peer_port}"
    return Component(
        "etcd",
        (
            str(ETCD.binary("etcd")),
            "--name=local",
            f"--data-dir={data}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=local={peer}",
            f"--cert-file={pki}/etcd/server.crt",
            f"--key-file={pki}/etcd/server.key",
            f"--trusted-ca-file={pki}/etcd/ca.crt",
            "--client-cert-auth",
            f"--peer-cert-file={pki}/etcd/peer.crt",
            f"--peer-key-file={pki}/etcd/peer.key",
            f"--peer-trusted-ca-file={pki}/etcd/ca.crt",
            "--peer-client-cert-auth",
            "--unsafe-no-fsync",
            "--snapshot-count=10000",
            "--auto-compaction-retention=30m",
            "--log-level=warn",
        ),
    )


def apiserver(at: Endpoints, pki: Path, *, reconcile_endpoints: bool) -> Component:
    """Return the API server, with the aggregation layer (metrics-server needs it) and RBAC."""
    return Component(
        "kube-apiserver",
        (
            str(KUBERNETES.binary("kube-apiserver")),
            f"--bind-address={at.bind}",
            f"--advertise-address={at.advertise}",
            f"--secure-port={at.api_port}",
            # The Service `kubernetes` cannot point at loopback.
            f"--endpoint-reconciler-type={'lease' if reconcile_endpoints else 'none'}",
            f"--etcd-servers=https://127.0.0.1:{at.etcd_port}",
            f"--etcd-cafile={pki}/etcd/ca.crt",
            f"--etcd-certfile={pki}/apiserver-etcd-client.crt",
            f"--etcd-keyfile={pki}/apiserver-etcd-client.key",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            f"--service-cluster-ip-range={at.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
            f"--proxy-client-key-file={pki}/front-proxy-client.key",
            "--profiling=false",
        ),
    )


def controller_manager(at: Endpoints, pki: Path, kubeconfig: Path, port: int = 10257) -> Component:
    """Return the controller manager; alone, so it needs no leader election and its writes."""
    return Component(
        "kube-controller-manager",
        (
            str(KUBERNETES.binary("kube-controller-manager")),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--client-ca-file={pki}/ca.crt",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={at.pods}",
            f"--node-cidr-mask-size={at.pods.rpartition('/')[2]}",
            f"--service-cluster-ip-range={at.services}",
            "--leader-elect=false",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--profiling=false",
        ),
    )
