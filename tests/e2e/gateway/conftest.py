"""The sample behind a Gateway, on the cluster of the other end-to-end tests; the gateway is added if it is not there.

One installation serves all modules here: a test that needs other values gets them for itself and gives them back, and
one that breaks things has an installation of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from taskservice_demo.stage import Stage, install_sample, make_namespace, wait_ready
from taskservice_local.cli import main as local
from taskservice_local.commands import wait_for
from testkit.edge_client import HOST, Edge
from testkit.live import Live

NAMESPACE = "e2e-gateway"
MANY = {"requests": 1_000_000, "unit": "Minute"}
LIMITS = ("signInPerAddress", "refreshPerAddress", "keysPerAddress", "readsPerUser", "writesPerUser")
VALUES: dict[str, Any] = {
    "gateway": {
        "enabled": True,
        "hostnames": [HOST],
        "tls": {"selfSigned": True},
        "replicas": 1,
        # Nobody answers there: identifiers of traces are made and handed on all the same.
        "tracing": {"collector": {"name": "collector", "port": 4317}},
        "limits": dict.fromkeys(LIMITS, MANY),
    },
    # All clients of these tests have one address, and make accounts by the dozen.
    "auth": {
        "config": {
            "TASKSERVICE_LIMIT_REGISTER_PER_ADDRESS": "100000/minute",
            "TASKSERVICE_LIMIT_LOGIN_PER_ADDRESS": "100000/minute",
        }
    },
    "rollout": {"scaleDownDelaySeconds": 8, "smokeRequests": 3},
}
COLLECTOR = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "collector"},
    "spec": {"selector": {"app": "nobody"}, "ports": [{"name": "otlp", "port": 4317}]},
}

Reinstall = Callable[..., AbstractContextManager[None]]
Installed = Callable[..., AbstractContextManager[Edge]]
Upgrade = Callable[[Live, dict[str, Any]], None]


@pytest.fixture(scope="session")
def stage(stage: Stage) -> Stage:
    """The cluster of the other tests, with a gateway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "GATEWAY", "1")
        assert local(["up"]) == 0
    return stage


@pytest.fixture(scope="session")
def installed(stage: Stage) -> Installed:
    """``with installed(namespace, tasks={...}) as edge:`` the sample behind a Gateway of its own, gone at the end."""

    @contextmanager
    def run(namespace: str, **values: Any) -> Iterator[Edge]:
        make_namespace(stage, namespace)
        live = Live(stage, namespace)
        try:
            live.apply(COLLECTOR)
            install(live, values)
            address = wait_for("the Gateway's address", lambda: address_of(live), 120, every=0.5)
            edge = Edge(live, address)
            wait_for("a task list through the gateway", lambda: serves(edge), 60, every=0.5)
            yield edge
        finally:
            stage.kubectl("delete", "namespace", namespace, "--wait=false")

    return run


@pytest.fixture(scope="session")
def edge(installed: Installed) -> Iterator[Edge]:
    with installed(NAMESPACE) as edge:
        yield edge


@pytest.fixture(scope="session")
def upgrade() -> Upgrade:
    """``upgrade(edge.live, {"config": {...}})``: other values for good, merged into the usual ones."""
    return install


@pytest.fixture
def reinstalled(edge: Edge) -> Reinstall:
    """``with reinstalled(gateway={...}):`` other values for the while; they are merged into the usual ones."""

    @contextmanager
    def run(**values: Any) -> Iterator[None]:
        install(edge.live, values)
        try:
            yield
        finally:
            install(edge.live, {})

    return run


def install(live: Live, values: dict[str, Any]) -> None:
    merged = {name: {**VALUES.get(name, {}), **values.get(name, {})} for name in {*VALUES, *values}}
    install_sample(live.stage, live.namespace, merged, wait=False)
    for name in ("auth", "tasks"):
        wait_ready(live.stage, live.namespace, name, 300)


def address_of(live: Live) -> str | None:
    """The Gateway's address once it is programmed, which takes proxies that are ready."""
    status = (live.get("gateway", "taskservice") or {}).get("status", {})
    programmed = any(each["type"] == "Programmed" and each["status"] == "True" for each in status.get("conditions", []))
    return status["addresses"][0]["value"] if programmed and status.get("addresses") else None


def serves(edge: Edge) -> bool:
    """Whether every kind of route answers as it will: the last one to arrive is the keys' at the proxy."""
    try:
        return edge.ask("GET", "/v1/tasks", token=edge.token()).status == 200
    except (OSError, AssertionError, KeyError):
        return False
