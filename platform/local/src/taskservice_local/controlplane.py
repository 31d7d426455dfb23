"""A bare control plane on loopback, for integration tests: etcd and kube-apiserver, no node, no root.

    from taskservice_local.controlplane import ControlPlane

    with ControlPlane(tmp_path) as cp:
        kubectl = [cp.kubectl, f"--kubeconfig={cp.kubeconfig}"]

`cp.kubeconfig` is an administrator's. With `controllers=True`, kube-controller-manager runs too: Deployments get
ReplicaSets and pods (which stay Pending: there is no scheduler and no node), owner references are collected, and
namespaces go away. Up in about five seconds, once the parts are built; several may run side by side. Everything is
below the folder that is given, and ends with the `with` block.

The same from a shell, until interrupted: `python -m taskservice_local.controlplane FOLDER [--controllers]`.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from taskservice_local import builder, controls, kubectl, pki
from taskservice_local.commands import wait_for
from taskservice_local.controls import Component
from taskservice_local.kubectl import Kubectl
from taskservice_local.parts import ETCD, KUBERNETES
from taskservice_local.progress import say
from taskservice_local.supervisor import Supervisor

ADDRESS = "127.0.0.1"
SERVICES = "10.96.0.0/16"
PODS = "10.97.0.0/16"


class ControlPlane:
    """etcd and kube-apiserver on free ports of loopback; a context manager."""

    def __init__(self, directory: Path, *, controllers: bool = False) -> None:
        """`directory` takes data, certificates and logs; it is made when absent, and left behind for its logs."""
        self.directory = directory.absolute()
        self.controllers = controllers
        self.supervisor = Supervisor(self.directory / "processes.json", self.directory / "logs")
        self.pki = self.directory / "pki"
        api, etcd, peer, self._manager_port = free_ports(4)
        self.endpoints = controls.Endpoints(ADDRESS, ADDRESS, api, etcd, peer, SERVICES, PODS)

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfigs" / "super-admin.conf"

    @property
    def kubectl(self) -> Path:
        return KUBERNETES.binary("kubectl")

    @property
    def url(self) -> str:
        return f"https://{ADDRESS}:{self.endpoints.api_port}"

    def start(self) -> None:
        """Start everything and wait until the API server is ready.

        Builds the parts when they are not in the cache. Raises LocalError when a component dies; none is left then.
        """
        builder.build((ETCD, KUBERNETES))
        self.directory.mkdir(parents=True, exist_ok=True)
        identity = pki.Identity("test", "test", ADDRESS, self.endpoints.api_port, SERVICES, PODS)
        pki.ensure(identity, self.pki, self.directory / "kubeconfigs")
        try:
            for component in self.components()[:2]:
                self.supervisor.ensure(component)
            wait_for("the API server", self._ready, 60, every=0.1)
            if self.controllers:
                self.supervisor.ensure(self.components()[2])
                wait_for("the controllers", self._controllers_work, 60)
        except BaseException:
            self.stop()
            raise

    def components(self) -> list[Component]:
        """Return what runs, in the order in which it is started."""
        chosen = [
            controls.etcd(self.endpoints, self.pki, self.directory / "etcd"),
            controls.apiserver(self.endpoints, self.pki, reconcile_endpoints=False),
        ]
        if self.controllers:
            kubeconfig = self.directory / "kubeconfigs" / "controller-manager.conf"
            chosen.append(controls.controller_manager(self.endpoints, self.pki, kubeconfig, self._manager_port))
        return chosen

    def restart(self, component: str = "kube-apiserver") -> None:
        """End one component and start it again on the same port and data, for tests of reconnection."""
        self.supervisor.stop([component])
        for known in self.components():
            if known.name == component:
                self.supervisor.ensure(known)
        wait_for("the API server", self._ready, 60, every=0.1)

    def stop(self) -> None:
        """End everything that was started. A second call does nothing."""
        # The API server would wait for its watchers; nobody is watching any more.
        self.supervisor.stop(seconds=1)
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)

    def _controllers_work(self) -> bool:
        self.supervisor.check()
        # Made by a controller in every namespace, and needed by every pod.
        return bool(Kubectl(self.kubeconfig).get("serviceaccount", "default", "--namespace=default"))

    def _ready(self) -> bool:
        self.supervisor.check()
        return kubectl.answers(ADDRESS, self.endpoints.api_port, self.pki / "ca.crt")

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def free_ports(count: int) -> list[int]:
    """Return that many different ports of loopback that are free now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind((ADDRESS, 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def main(argv: list[str]) -> int:
    """Run a control plane until interrupted."""
    directory = Path(next((word for word in argv if not word.startswith("-")), tempfile.mkdtemp()))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ControlPlane(directory, controllers="--controllers" in argv) as cp:
        say(f"{cp.url} is ready; interrupt to end it.")
        print(f"export KUBECONFIG={cp.kubeconfig}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
