"""The node's programs, their flags and their files: containerd, kubelet, kube-proxy, kube-scheduler.

Pure: builds command lines and file contents, runs none.
"""

from __future__ import annotations

import json

from taskservice_local.controls import Component
from taskservice_local.machine import program
from taskservice_local.network import NetworkPlan, conflist
from taskservice_local.parts import KUBERNETES
from taskservice_local.paths import ClusterPaths
from taskservice_local.program_images import PAUSE_IMAGE

CNI_BINARIES = "/usr/lib/cni"


def containerd(paths: ClusterPaths, plan: NetworkPlan) -> Component:
    """Return containerd with a root, a state and a socket of its own: the machine's containerd is not touched."""
    file = paths.config / "containerd.toml"
    cni = paths.config / "cni" / "10-pods.conflist"
    text = f"""version = 2
root = "{paths.state}/containerd"
state = "{paths.run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{paths.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE.reference}"
  # Without CAP_SYS_RESOURCE, lowering a score is forbidden, and every sandbox would die of trying.
  restrict_oom_score_adj = true
  # So that no mount lies outside our folders.
  netns_mounts_under_state_dir = true
  # Lets CoreDNS bind port 53 without root.
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_BINARIES}"
    conf_dir = "{cni.parent}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{program("runc")}"
      Root = "{paths.run}/runc"
      SystemdCgroup = false
"""
    files = {file: text, cni: conflist(plan, paths.state / "cni")}
    return Component("containerd", (program("containerd"), "--config", str(file)), files)


def kubelet(paths: ClusterPaths, plan: NetworkPlan) -> Component:
    """Return kubelet; its pods live below the cluster's own cgroup."""
    file = paths.config / "kubelet.json"
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",  # noqa: S104 - all interfaces of the namespace, none of the host
        "authentication": {
            "x509": {"clientCAFile": f"{paths.pki}/ca.crt"},
            "webhook": {"enabled": True},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.label}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [plan.dns_address],
        "resolvConf": "/dev/null",  # there is nothing beyond the machine to resolve
        "podLogsDir": str(paths.state / "pod-logs"),
        "maxPods": 250,
        "oomScoreAdj": 0,  # lowering it takes a capability that containers of CI do not have
        "makeIPTablesUtilChains": False,
        "serializeImagePulls": False,
        # The images were imported by hand: none that is removed could be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "volumeStatsAggPeriod": "10m",
    }
    argv = (
        str(KUBERNETES.binary("kubelet")),
        f"--config={file}",
        f"--kubeconfig={paths.kubeconfigs}/kubelet.conf",
        f"--root-dir={paths.state}/kubelet",
        f"--cert-dir={paths.state}/kubelet-pki",
        f"--hostname-override={plan.label}",
        f"--node-ip={plan.node_address}",
    )
    return Component("kubelet", argv, {file: json.dumps(config, indent=2)})


def kube_proxy(paths: ClusterPaths, plan: NetworkPlan) -> Component:
    """Return kube-proxy; it also translates what comes from the host over the cable."""
    file = paths.config / "kube-proxy.json"
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{paths.kubeconfigs}/kube-proxy.conf"},
        "clusterCIDR": str(plan.pods),
        "hostnameOverride": plan.label,
        "oomScoreAdj": 0,
        # These limits belong to the machine and cannot be set from a namespace.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    argv = (str(KUBERNETES.binary("kube-proxy")), f"--config={file}")
    return Component("kube-proxy", argv, {file: json.dumps(config, indent=2)})


def scheduler(paths: ClusterPaths) -> Component:
    """Return the scheduler; alone, so it needs no leader election."""
    kubeconfig = paths.kubeconfigs / "scheduler.conf"
    return Component(
        "kube-scheduler",
        (
            str(KUBERNETES.binary("kube-scheduler")),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--profiling=false",
        ),
    )
