"""One demo for all questions: it is expensive to start, and nothing that is asked changes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testkit.mongod import PartUnavailable
from testkit.observed_demo import ObservedDemo
from testkit.otlp_receiver import OtlpReceiver


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As for the operator's own tests: a real API server with Kubernetes' controllers, and no node."""
    given = os.environ.get("TASKSERVICE_TEST_KUBECONFIG")
    if given:
        yield Path(given)
        return
    controlplane = pytest.importorskip(
        "taskservice_local.controlplane", reason="no API server: platform/local/src is not on the path"
    )
    with controlplane.ControlPlane(tmp_path_factory.mktemp("controlplane")) as started:
        own = started.directory / "kubeconfigs" / "controller-manager.conf"
        own.write_text(re.sub(r"server: .*", f"server: {started.url}", own.read_text()))
        started.controllers = True
        started.supervisor.ensure(started.components()[-1])
        yield started.kubeconfig


@pytest.fixture(scope="session")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture(scope="session")
def demo(kubeconfig: Path, receiver: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedDemo]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(ObservedDemo(kubeconfig, tmp_path_factory.mktemp("demo"), receiver.url))
        except PartUnavailable as reason:
            pytest.skip(str(reason))
        yield running
