"""The built cluster: a real one-node Kubernetes in a network namespace of its own.

`up` is level-triggered: it looks at what is there, and mends or starts what is not; so it is also the repair after a
crash or a reboot. `down` ends what was recorded, then whatever is left in the cluster's cgroups, and removes the rest.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from taskservice_local import (
    builder,
    cgroups,
    controls,
    kubectl,
    machine,
    mounts,
    network,
    node,
    pki,
    traces,
    volumes,
)
from taskservice_local.archives import references_in
from taskservice_local.commands import run, wait_for
from taskservice_local.errors import LocalError
from taskservice_local.gateway import Gateway
from taskservice_local.kubectl import Kubectl
from taskservice_local.locks import only_one
from taskservice_local.parts import NEEDED_AFTERWARDS, NEEDED_FOR_A_GATEWAY, NEEDED_FOR_A_NODE
from taskservice_local.paths import ClusterPaths
from taskservice_local.program_images import COREDNS_IMAGE, METRICS_SERVER_IMAGE, PAUSE_IMAGE, ProgramImage
from taskservice_local.progress import say, step
from taskservice_local.status import Report, build_report
from taskservice_local.supervisor import Supervisor

API_PORT = 6443
COMPONENTS = [
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
]
# Kubelet last in, first out: it would restart what we end.
STOP_FIRST = ["kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager"]


def label_of(name: str) -> str:
    """Return the name of the cluster's namespace, cgroup, node and CNI network."""
    return name if name == "taskservice" else f"taskservice-{name}"


class BuiltCluster:
    """One built cluster, up or not."""

    kind = "built"

    def __init__(self, paths: ClusterPaths) -> None:
        self.paths = paths
        self.label = label_of(paths.name)

    @cached_property
    def supervisor(self) -> Supervisor:
        prefix = tuple(network.inside(self.plan, []))
        return Supervisor(self.paths.records, self.paths.logs, prefix, cgroups.components_file(self.label))

    @property
    def plan(self) -> network.NetworkPlan:
        return network.ensure_plan(self.label, self.paths.state / "network.json")

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.paths.kubeconfig)

    def exists(self) -> bool:
        """Tell whether there is anything of this cluster on the machine."""
        left = (self.paths.state, self.paths.run, network.NETNS_FOLDER / self.label)
        return any(path.exists() for path in left) or bool(cgroups.members(self.label))

    def up(self) -> None:
        """Bring the cluster up, or mend it. Raises LocalError with what to do."""
        need_root()
        machine.install(machine.NEEDS, machine.Machine())
        builder.build(NEEDED_FOR_A_NODE)
        with self._alone():
            self._prepare()
            with step("starting the control plane"):
                self._start_control_plane()
            with step("starting the node"):
                self._start_node()
            builder.build(NEEDED_AFTERWARDS)
            with step("starting DNS and metrics"):
                self._start_addons()

    def add_gateway(self) -> None:
        """Add the gateway to the cluster that is up. Raises LocalError."""
        builder.build(NEEDED_FOR_A_GATEWAY)
        with self._alone():
            self._gateway.ensure()

    def down(self) -> None:
        """Remove the cluster; raises LocalError when something would not go. Does nothing where there is nothing."""
        need_root()
        with self._alone():
            if self.exists():
                with step("stopping pods and components"):
                    self._stop_everything()
                network.remove(self.plan)
                traces.remove(self.paths, self.label)
                shutil.rmtree(self.paths.run, ignore_errors=True)
                shutil.rmtree(self.paths.state)

    def report(self) -> Report:
        """Return the state of every component, of the node, and of the gateway if it has one."""
        if not (self.paths.state / "network.json").exists():
            return Report(f"The cluster {self.paths.name} is not up.", healthy=False)
        ready = self.kubectl.node_ready(self.label)
        gateway = self._gateway.ready() if self._gateway.exists() else None
        return build_report(self.supervisor.states(), COMPONENTS, self.label, ready, gateway)

    def load(self, archive: Path) -> None:
        """Import an image archive into the cluster's containerd. Raises LocalError when it cannot."""
        if not self.paths.containerd_socket.exists():
            raise LocalError(f"The cluster {self.paths.name} is not up: run `python -m taskservice_local up` first.")
        references = references_in(archive)
        stamp = f"{archive} {archive.stat().st_size} {archive.stat().st_mtime_ns}"
        loaded = self._loaded()
        if not references or any(loaded.get(reference) != stamp for reference in references):
            with step(f"loading {archive.parent.name}/{archive.name}"):
                run([*self._ctr(), "images", "import", archive])
            with only_one(Path("/run/taskservice") / f"{self.paths.name}-loaded.lock", "recording what was loaded"):
                # By name: a later archive may have given the same name to another image.
                now = {**self._loaded(), **dict.fromkeys(references, stamp)}
                partial = self.paths.state / ".loaded.json"
                partial.write_text(json.dumps(now, indent=2))
                partial.replace(self.paths.state / "loaded.json")

    def _loaded(self) -> dict[str, str]:
        file = self.paths.state / "loaded.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @property
    def _gateway(self) -> Gateway:
        return Gateway(self.kubectl, self.load, self.paths.state / "helm")

    def _ctr(self) -> list[str | Path]:
        return [machine.program("ctr"), f"--address={self.paths.containerd_socket}", "--namespace=k8s.io"]

    def _alone(self) -> AbstractContextManager[None]:
        return only_one(Path("/run/taskservice") / f"{self.paths.name}.lock", f"working on cluster {self.paths.name}")

    def _prepare(self) -> None:
        plan = self.plan
        if not (network.exists(plan) and self.supervisor.records.load() and cgroups.members(self.label)):
            # The first time, or a cluster that lost its network, its records or every process (a reboot, a kill):
            # nothing of it can go on running, and routes to pods that were would catch the traffic of new ones.
            self._stop_everything()
            network.create(plan)
        cgroups.create(self.label)
        self.paths.run.mkdir(parents=True, exist_ok=True)
        identity = pki.Identity(
            self.paths.name, self.label, plan.node_address, API_PORT, str(plan.services), str(plan.pods)
        )
        pki.ensure(identity, self.paths.pki, self.paths.kubeconfigs)
        pki.write_private(self.paths.kubeconfig, (self.paths.kubeconfigs / "admin.conf").read_text())

    def _endpoints(self) -> controls.Endpoints:
        plan = self.plan
        return controls.Endpoints(
            bind="0.0.0.0",  # noqa: S104 - all interfaces of the namespace, none of the host
            advertise=plan.node_address,
            api_port=API_PORT,
            etcd_port=2379,
            etcd_peer_port=2380,
            services=str(plan.services),
            pods=str(plan.pods),
        )

    def _start_control_plane(self) -> None:
        at, supervisor, paths = self._endpoints(), self.supervisor, self.paths
        supervisor.ensure(controls.etcd(at, paths.pki, paths.state / "etcd"))
        supervisor.ensure(node.containerd(paths, self.plan))
        supervisor.ensure(controls.apiserver(at, paths.pki, reconcile_endpoints=True))

        def ready() -> bool:
            supervisor.check()
            return kubectl.answers(at.advertise, API_PORT, paths.pki / "ca.crt")

        wait_for("the API server", ready, 180)
        supervisor.ensure(controls.controller_manager(at, paths.pki, paths.kubeconfigs / "controller-manager.conf"))
        supervisor.ensure(node.scheduler(paths))
        # The admin kubeconfig has no rights until the binding is there.
        Kubectl(paths.kubeconfigs / "super-admin.conf").apply("rbac.yaml")

    def _start_node(self) -> None:
        supervisor = self.supervisor
        self._load_program(PAUSE_IMAGE)
        began = datetime.now(UTC).replace(microsecond=0)  # heartbeats have whole seconds
        started = supervisor.ensure(node.kubelet(self.paths, self.plan))
        supervisor.ensure(node.kube_proxy(self.paths, self.plan))

        def ready() -> bool:
            supervisor.check()
            return self.kubectl.node_ready(self.label, since=began if started else None)

        wait_for("the node to be Ready", ready, 180)
        say(f"  node {self.label} is Ready; KUBECONFIG={self.paths.kubeconfig}")

    def _start_addons(self) -> None:
        for image in (COREDNS_IMAGE, METRICS_SERVER_IMAGE):
            self._load_program(image)
        self.kubectl.apply("coredns.yaml", image=COREDNS_IMAGE.reference, dns_address=self.plan.dns_address)
        self.kubectl.apply("metrics-server.yaml", image=METRICS_SERVER_IMAGE.reference)
        volumes.ensure(self.kubectl, self.paths.state / "volumes", self.label)

        def ready() -> bool:
            self.supervisor.check()
            # Asked of the programs themselves, through kube-proxy: conditions may be those from before a crash.
            return network.connects(self.plan.dns_address, 53) and self.kubectl.has_metrics()

        wait_for("CoreDNS and metrics-server", ready, 240, every=0.5)

    def _load_program(self, image: ProgramImage) -> None:
        def present() -> str | None:
            self.supervisor.check()
            try:
                return run([*self._ctr(), "images", "list", "--quiet"]) or " "
            except LocalError:
                return None  # containerd is not listening yet

        if image.reference not in wait_for("containerd", present, 60):
            self.load(image.archive())

    def _stop_everything(self) -> None:
        """End components, pods and shims, then unmount and remove what they held; safe on any leftover."""
        supervisor = self.supervisor
        supervisor.stop(STOP_FIRST, seconds=3)
        sockets = traces.shim_sockets(self.paths)
        # Pods are killed, not asked: nothing of this cluster will be there to miss a clean end. Neither will the API
        # server's watchers, for whom it would wait a minute.
        supervisor.stop(seconds=2)
        if left := cgroups.kill_members(self.label):
            raise LocalError(f"Processes {sorted(left)} of cluster {self.paths.name} would not end; run `down` again.")
        for socket in sockets:
            socket.unlink(missing_ok=True)
        for folder in (self.paths.state, self.paths.run):
            mounts.unmount_below(folder)
        cgroups.remove(self.label)


def need_root() -> None:
    """Raise LocalError unless we are root on Linux."""
    if not machine.Machine().is_linux:
        raise LocalError("The built cluster runs on Linux only; start Docker to get a kind cluster instead.")
    if os.geteuid() != 0:
        raise LocalError(
            "The built cluster needs root: run `sudo make cluster`, or start Docker to get a kind cluster."
        )
