"""A real API server with our definition in it.

``TASKSERVICE_TEST_KUBECONFIG`` names one that runs already; otherwise one is started from the built parts.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from taskservice_operator.api import crd, names

NAMESPACE = "default"


class Refused(Exception):
    """The API server said no; the text is what it said."""


class TaskServices:
    """Creates and reads TaskServices, and nothing more."""

    def __init__(self, connection: client.ApiClient) -> None:
        self.connection = connection
        self._api = client.CustomObjectsApi(connection)
        self._where = (names.GROUP, names.VERSION, NAMESPACE, names.PLURAL)

    def admit(self, spec: dict[str, Any], name: str = "tasks") -> dict[str, Any]:
        """The object after defaults, as it would be stored; nothing is.  Raises :class:`Refused`."""
        return self._create(spec, name, dry_run="All")

    def create(self, spec: dict[str, Any], name: str) -> dict[str, Any]:
        return self._create(spec, name)

    def get(self, name: str) -> dict[str, Any]:
        return self._api.get_namespaced_custom_object(*self._where, name)

    def write_status(self, name: str, status: dict[str, Any]) -> dict[str, Any]:
        """Replace the status, as the operator does.  Raises :class:`Refused`."""
        try:
            return self._api.replace_namespaced_custom_object_status(
                *self._where, name, self.get(name) | {"status": status}
            )
        except ApiException as error:
            raise Refused(json.loads(error.body)["message"]) from None

    def scale(self, name: str, replicas: int | None = None) -> dict[str, Any]:
        """Read the scale subresource, or set its replicas first."""
        if replicas is not None:
            self._api.patch_namespaced_custom_object_scale(*self._where, name, {"spec": {"replicas": replicas}})
        return self._api.get_namespaced_custom_object_scale(*self._where, name)

    def delete(self, name: str) -> None:
        self._api.delete_namespaced_custom_object(*self._where, name)

    def _create(self, spec: dict[str, Any], name: str, **options: Any) -> dict[str, Any]:
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": spec}
        try:
            return self._api.create_namespaced_custom_object(*self._where, body, field_validation="Strict", **options)
        except ApiException as error:
            raise Refused(json.loads(error.body)["message"]) from None


@dataclass(frozen=True)
class Server:
    """A running API server: an administrator's kubeconfig, and a kubectl that fits."""

    kubeconfig: Path
    program: str

    def kubectl(self, *words: str) -> str:
        command = [self.program, "--kubeconfig", str(self.kubeconfig), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = os.environ.get("TASKSERVICE_TEST_KUBECONFIG")
    if given:
        yield Server(Path(given), "kubectl")
        return
    controlplane = pytest.importorskip(
        "taskservice_local.controlplane", reason="no API server: platform/local/src is not on the path"
    )
    with controlplane.ControlPlane(tmp_path_factory.mktemp("controlplane")) as started:
        yield Server(started.kubeconfig, str(started.kubectl))


@pytest.fixture(scope="session")
def definition(server: Server) -> Iterator[dict[str, Any]]:
    """Our definition as the API server reports it once it has judged it."""
    with config.new_client_from_config(str(server.kubeconfig)) as connection:
        api = client.CustomObjectsApi(connection)
        where = ("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        try:
            api.create_cluster_custom_object(*where, crd.build_crd())
        except ApiException as error:
            if error.status != 409:
                raise
            present = api.get_cluster_custom_object(*where, crd.NAME)
            wanted = crd.build_crd()
            wanted["metadata"]["resourceVersion"] = present["metadata"]["resourceVersion"]
            api.replace_cluster_custom_object(*where, crd.NAME, wanted)
        yield _until_established(api, where)


@pytest.fixture
def taskservices(server: Server, definition: dict[str, Any]) -> Iterator[TaskServices]:
    with config.new_client_from_config(str(server.kubeconfig)) as connection:
        yield TaskServices(connection)


@pytest.fixture
def refusal() -> type[Refused]:
    return Refused


def _until_established(api: client.CustomObjectsApi, where: tuple[str, str, str]) -> dict[str, Any]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        seen = api.get_cluster_custom_object(*where, crd.NAME)
        conditions = (seen.get("status") or {}).get("conditions") or ()
        if any(entry["type"] == "Established" and entry["status"] == "True" for entry in conditions):
            time.sleep(0.5)  # the new version is served a moment after it is reported
            return seen
        time.sleep(0.1)
    raise AssertionError("the definition was not established within 20 s")
