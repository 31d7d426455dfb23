"""A real API server with our definition, hands on it, and operators run as processes of this machine.

``TASKSERVICE_TEST_KUBECONFIG`` names a server that runs already; otherwise one is started from the built parts,
with Kubernetes' own controllers.  There is no node: the fixture ``kubelet`` plays one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from taskservice_operator.api import crd
from taskservice_operator.cluster.kube import KubeApi
from testkit.kube_hands import KubeHands, Kubelet
from testkit.operator_process import OperatorProcess
from testkit.vault_server import VaultServer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given = os.environ.get("TASKSERVICE_TEST_KUBECONFIG")
    if given:
        yield Path(given)
        return
    controlplane = pytest.importorskip(
        "taskservice_local.controlplane", reason="no API server: platform/local/src is not on the path"
    )
    with controlplane.ControlPlane(tmp_path_factory.mktemp("controlplane")) as started:
        # The controllers' kubeconfig names the advertised address, where nothing listens: they get the real one.
        own = started.directory / "kubeconfigs" / "controller-manager.conf"
        own.write_text(re.sub(r"server: .*", f"server: {started.url}", own.read_text()))
        started.controllers = True
        started.supervisor.ensure(started.components()[-1])
        yield started.kubeconfig


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[KubeApi]:
    api = await KubeApi.connect(str(kubeconfig))
    try:
        yield api
    finally:
        await api.close()


@pytest.fixture
async def hands(api: KubeApi) -> KubeHands:
    hands = KubeHands(api)
    await hands.establish(crd.build_crd())
    return hands


@pytest.fixture
async def namespace(hands: KubeHands, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A namespace of the test's own, emptied of TaskServices afterwards."""
    name = hands.namespace = await hands.make_namespace()
    try:
        yield name
    finally:
        await hands.drop_namespace(name)


@pytest.fixture
async def kubelet(api: KubeApi, namespace: str) -> AsyncIterator[Kubelet]:
    async with Kubelet(api, namespace) as kubelet:
        yield kubelet


@pytest.fixture
def operators(kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[OperatorStarter]:
    with contextlib.ExitStack() as stack:
        yield OperatorStarter(kubeconfig, namespace, tmp_path, stack)


@pytest.fixture(scope="session")
def vault_session(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A real Vault that asks the API server about tokens."""
    with VaultServer(tmp_path_factory.mktemp("vault")) as server:
        server.trust_cluster(*asyncio.run(_a_reviewer(kubeconfig)))
        yield server


@pytest.fixture
def vault_server(vault_session: VaultServer) -> Iterator[VaultServer]:
    """Running and unsealed, before the test and after it."""
    yield vault_session
    vault_session.restore()


async def _a_reviewer(kubeconfig: Path) -> tuple[str, str, str]:
    """The API server's address and authorities, and the token of a ServiceAccount that may review tokens."""
    api = await KubeApi.connect(str(kubeconfig))
    try:
        hands = KubeHands(api)
        await hands.make_service_account("default", "vault-reviewer")
        await hands.bind_cluster_role("system:auth-delegator", "default", "vault-reviewer")
        credentials = await api.credentials()
        token = await hands.token("default", "vault-reviewer")
    finally:
        await api.close()
    authorities = await asyncio.to_thread(Path(credentials.ca_path or "").read_text)
    return credentials.server, authorities, token


class OperatorStarter:
    """Starts operators that look after the test's namespace only; all end with the test."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path, stack: contextlib.ExitStack) -> None:
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._folder = folder
        self._stack = stack
        self._count = 0

    async def start(self, **settings: str) -> OperatorProcess:
        """Start one and wait until it is ready.  ``settings`` without their prefix."""
        self._count += 1
        env = {"NAMESPACES": self._namespace, "LEASE_NAMESPACE": self._namespace, **settings}
        operator = OperatorProcess(self._kubeconfig, self._folder / f"operator-{self._count}.log", env)
        self._stack.callback(operator.kill)
        await operator.ready()
        return operator
