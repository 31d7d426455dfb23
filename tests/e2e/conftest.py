"""The whole on the local cluster: real API server, kubelet, pods, Services, HPAs; the operator installed by its charts.

Nothing is mocked.  The cluster is the one that ``make cluster`` makes; it is brought up if it is not, and left up.
Each module works in a namespace of its own, removed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from taskservice_demo.stage import Stage, make_namespace, prepare
from taskservice_local.cli import main as local
from testkit.live import Live


@pytest.fixture(scope="session")
def stage() -> Stage:
    assert local(["up"]) == 0
    return prepare()


@pytest.fixture(scope="module")
def live(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Live]:
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    namespace = f"e2e-{name}"[:50]
    make_namespace(stage, namespace)
    yield Live(stage, namespace)
    stage.kubectl("delete", "namespace", namespace, "--wait=false")
