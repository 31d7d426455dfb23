"""Up, down, up, and every kind of accident in between, on a real cluster."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from taskservice_local import cgroups
from taskservice_local.built import COMPONENTS, BuiltCluster
from taskservice_local.mounts import below, unmount_below
from taskservice_local.processes import start_time
from taskservice_local.program_images import PAUSE_IMAGE

if TYPE_CHECKING:
    from tests.e2e_local.conftest import Cluster

PAUSED = """
apiVersion: v1
kind: Pod
metadata: {name: sleeper, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: main, image: IMAGE, imagePullPolicy: Never}
"""


def kill(pids: list[int]) -> None:
    """End processes of the cluster as a crash would."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)


def interfaces() -> set[str]:
    return {entry.name for entry in Path("/sys/class/net").iterdir()}


def rules() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout


def test_a_cluster_that_is_up_has_a_ready_node_every_component_and_metrics(cluster: Cluster) -> None:
    status = cluster.status()
    assert status.returncode == 0, status.stdout
    for component in COMPONENTS:
        assert f"{component} " in status.stdout
    assert "dead" not in status.stdout
    nodes = json.loads(cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))
    assert [node["metadata"]["name"] for node in nodes["items"]] == [cluster.label]
    assert json.loads(cluster.kubectl("get", "node", cluster.label, "-o", "json"))["spec"].get("taints") is None


def test_the_host_reaches_services_and_their_pods(cluster: Cluster) -> None:
    plan = BuiltCluster(cluster.paths).plan
    for address in (str(plan.services[1]), plan.dns_address):
        port = 443 if address == str(plan.services[1]) else 53
        with socket.create_connection((address, port), timeout=5):
            pass


def test_up_on_a_whole_cluster_restarts_nothing(cluster: Cluster) -> None:
    before, pods = cluster.records(), cluster.pod_uids()
    began = time.monotonic()
    cluster.up()
    assert time.monotonic() - began < 15
    assert cluster.records() == before
    assert cluster.pod_uids() == pods


def test_status_names_a_dead_component_shows_its_log_and_exits_1(cluster: Cluster) -> None:
    kill([cluster.records()["kube-scheduler"].pid])
    status = cluster.status()
    assert status.returncode == 1
    assert "kube-scheduler is dead; its log ends with:" in status.stdout
    assert "repairs it" in status.stdout


def test_up_repairs_a_cluster_of_which_half_was_killed_and_its_pods_live_on(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pod", "sleeper", "--ignore-not-found")
    cluster.kubectl("apply", "-f", "-", input=PAUSED.replace("IMAGE", PAUSE_IMAGE.reference))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s")
    before = cluster.records()
    killed = ["etcd", "containerd", "kubelet", "kube-controller-manager"]
    kill([before[name].pid for name in killed])

    cluster.up()

    after = cluster.records()
    assert {name for name in COMPONENTS if after[name].pid != before[name].pid} >= set(killed)
    assert cluster.status().returncode == 0
    sleeper = json.loads(cluster.kubectl("get", "pod", "sleeper", "-o", "json"))
    assert sleeper["status"]["containerStatuses"][0]["restartCount"] == 0


def test_up_repairs_a_cluster_that_lost_every_process_and_its_network_as_by_a_reboot(cluster: Cluster) -> None:
    pods = cluster.pod_uids()
    kill(sorted(cgroups.members(cluster.label)))
    plan = BuiltCluster(cluster.paths).plan
    for point in below(plan.namespace):
        subprocess.run(["umount", point], check=True)  # leaves the file, as a reboot may
    assert cluster.status().returncode == 1

    cluster.up()

    assert cluster.status().returncode == 0
    assert pods <= cluster.pod_uids()  # etcd remembered them


def test_up_finds_no_stale_route_of_a_cluster_whose_processes_and_state_are_gone(cluster: Cluster) -> None:
    kill(sorted(cgroups.members(cluster.label)))
    unmount_below(cluster.paths.state)
    shutil.rmtree(cluster.paths.state)

    cluster.up()  # answers of DNS and metrics, through the Services, are part of it

    assert cluster.status().returncode == 0


CLAIMED = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept, namespace: default}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: keeper, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {fsGroup: 4711}
  containers:
    - name: main
      image: IMAGE
      imagePullPolicy: Never
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: kept}}]
"""


def test_a_claim_gets_a_folder_of_the_pods_group_which_the_next_up_after_its_end_empties(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", input=CLAIMED.replace("IMAGE", PAUSE_IMAGE.reference))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/keeper", "--timeout=60s")
    volume = json.loads(cluster.kubectl("get", "pvc", "kept", "-o", "json"))["spec"]["volumeName"]
    folder = cluster.paths.state / "volumes" / volume
    assert folder.stat().st_gid == 4711
    (folder / "data").write_text("of a claim")

    cluster.kubectl("delete", "pod/keeper", "pvc/kept", "--wait")
    assert (folder / "data").exists()
    cluster.up()

    assert list(folder.iterdir()) == []
    assert json.loads(cluster.kubectl("get", "pv", volume, "-o", "json"))["status"]["phase"] in {"Available", "Pending"}


def test_down_leaves_no_process_mount_namespace_interface_rule_cgroup_or_file(cluster: Cluster) -> None:
    plan = BuiltCluster(cluster.paths).plan
    ours = {pid: start_time(pid) for pid in cgroups.members(cluster.label)}
    assert len(ours) > len(COMPONENTS)
    assert plan.host_link in interfaces()

    cluster.down()

    # A zombie that process 1 has yet to collect is no process of ours any more, nor is another with the same id.
    assert [pid for pid, started in ours.items() if started and start_time(pid) == started] == []
    assert below(cluster.paths.state) + below(cluster.paths.run) == []
    assert not plan.namespace.exists()
    assert plan.host_link not in interfaces()
    assert str(plan.pods) not in subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    assert str(plan.services) not in rules()
    assert [tree for tree in cgroups.trees() if (tree / cluster.label).exists()] == []
    assert not cluster.paths.state.exists()
    assert not cluster.paths.run.exists()
    for folder in ("/var/lib/cni/results", "/var/log/containers"):
        if Path(folder).is_dir():
            assert [entry for entry in Path(folder).iterdir() if entry.name.startswith(cluster.label)] == []


def test_down_works_on_a_cluster_that_lost_half_of_its_components(cluster: Cluster) -> None:
    records = cluster.records()
    kill([records[name].pid for name in ("containerd", "kube-apiserver", "kubelet")])
    cluster.down()
    assert cgroups.members(cluster.label) == set()
    assert [tree for tree in cgroups.trees() if (tree / cluster.label).exists()] == []


def test_down_twice_does_nothing_the_second_time_and_up_works_after_it(cluster: Cluster) -> None:
    cluster.down()
    assert "There is no cluster" in cluster.command("down").stderr
    assert cluster.status().returncode == 1
    cluster.up()
    assert cluster.status().returncode == 0


def test_only_its_owner_reads_the_kubeconfig_and_the_users_own_is_not_touched(cluster: Cluster) -> None:
    assert cluster.paths.kubeconfig.stat().st_mode & 0o777 == 0o600
    own = Path.home() / ".kube" / "config"
    assert not own.exists() or cluster.label not in own.read_text()
