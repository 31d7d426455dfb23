"""A cluster in memory, and a builder of TaskServices as the operator leaves them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.api.status import (
    AnalysisRun,
    Failure,
    HistoryEntry,
    Phase,
    Retiring,
    Rollout,
    Status,
    format_time,
    render_status,
)
from taskservice_operator.cli.client import ClusterProblem

Manifest = dict[str, Any]
NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
OLD, NEW = "3f2a91c0de", "7c2f901b3d"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def taskservice(status: Status | None = None, *, name: str = "tasks", **fields: Any) -> Manifest:
    """``fields``: step, ready, spec, generation, observed."""
    raw: Manifest = {}
    if status is not None:
        ready = {"type": "Ready", "status": fields.get("ready", "True"), "reason": "Live", "message": "all is well"}
        observed = fields.get("observed", 1)
        raw = render_status(status) | {"step": fields.get("step", "all is well"), "observedGeneration": observed}
        raw["conditions"] = [ready]
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "generation": fields.get("generation", 1),
            "managedFields": [{"manager": "somebody"}],
        },
        "spec": {"image": "example/tasks:2", **fields.get("spec", {})},
    } | ({"status": raw} if raw else {})


def deployment(revision: str, colour: str, ready: int, desired: int, **fields: Any) -> Manifest:
    name = fields.get("of", "tasks")
    labels = {names.LABEL_REVISION: revision, names.LABEL_COLOUR: colour, names.LABEL_OWNER: name}
    containers = [{"name": "app", "image": fields.get("image", "example/tasks:1")}]
    return {
        "metadata": {
            "name": f"{name}-{revision}",
            "namespace": "shop",
            "labels": labels,
            "creationTimestamp": format_time(fields.get("created", ago(hours=2))),
            "ownerReferences": [{"uid": f"uid-{name}", "controller": True}],
        },
        "spec": {"replicas": desired, "template": {"spec": {"containers": containers}}},
        "status": {"readyReplicas": ready} if ready else {},
    }


def stable(**changes: Any) -> Status:
    return Status(**{"phase": Phase.STABLE, "stable": OLD, "active": OLD, "wanted": OLD, **changes})


def releasing(phase: Phase = Phase.VERIFYING, **changes: Any) -> Status:
    """A rollout of NEW beside OLD; after the switch NEW is active."""
    active = NEW if phase in (Phase.PROVING, Phase.RETURNING) else OLD
    rollout = Rollout(started_at=ago(minutes=1))
    return Status(
        **{
            "phase": phase,
            "stable": OLD,
            "active": active,
            "candidate": NEW,
            "wanted": NEW,
            "rollout": rollout,
            **changes,
        }
    )


def failed(**changes: Any) -> Status:
    failure = Failure(NEW, "ProgressDeadlineExceeded", "it never came up", ago(minutes=1))
    retiring = (Retiring(NEW, NOW + timedelta(seconds=20), 2),)
    given = {"phase": Phase.FAILED, "wanted": NEW, "failure": failure, "retiring": retiring, **changes}
    return stable(**given)


def finished(revision: str, result: str, hours: float) -> HistoryEntry:
    return HistoryEntry(
        revision, result, "Reason", ago(hours=hours, seconds=95), ago(hours=hours), f"example/tasks:{revision[:1]}"
    )


def measured(verdict: str = "Running", **changes: Any) -> AnalysisRun:
    return AnalysisRun("PrePromotion", "smoke", NEW, verdict, **{"measured": 2, **changes})


class MemoryCluster:
    """What :class:`taskservice_operator.cli.client.Cluster` is to the command line."""

    def __init__(self, taskservices: list[Manifest], deployments: list[Manifest]) -> None:
        self.namespace = "shop"
        self.taskservices = taskservices
        self._deployments = deployments
        self.annotated: list[tuple[str, str, Mapping[str, str]]] = []
        self.closed = False

    def get(self, namespace: str, name: str) -> Manifest:
        for each in self.taskservices:
            if (each["metadata"]["namespace"], each["metadata"]["name"]) == (namespace, name):
                return each
        raise ClusterProblem(f"there is no TaskService {name} in namespace {namespace}")

    def list(self, namespace: str | None) -> list[Manifest]:
        return [each for each in self.taskservices if namespace in (None, each["metadata"]["namespace"])]

    def deployments(self, namespace: str | None, name: str | None = None) -> list[Manifest]:
        return list(self._deployments)

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        self.annotated.append((namespace, name, annotations))

    def close(self) -> None:
        self.closed = True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def build() -> Any:
    """The builders of this file, for tests, which cannot import it."""

    class Builders:
        now, old, new = NOW, OLD, NEW
        taskservice = staticmethod(taskservice)
        deployment = staticmethod(deployment)
        stable = staticmethod(stable)
        releasing = staticmethod(releasing)
        failed = staticmethod(failed)
        finished = staticmethod(finished)
        measured = staticmethod(measured)
        ago = staticmethod(ago)
        cluster = MemoryCluster
        terminal = Terminal

    return Builders


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line against a cluster: exit status, standard output, standard error."""
    from taskservice_operator.cli.main import main

    def run_it(cluster: MemoryCluster, *words: str) -> tuple[int, str, str]:
        status = main(words, connect=lambda *_: cluster)  # type: ignore[arg-type]
        captured = capsys.readouterr()
        assert cluster.closed
        return status, captured.out, captured.err

    return run_it
