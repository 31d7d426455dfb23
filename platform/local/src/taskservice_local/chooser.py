"""Which cluster: asked for, or already up, or the best this machine can do; and why, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from taskservice_local.built import BuiltCluster
from taskservice_local.current import CurrentCluster
from taskservice_local.errors import LocalError
from taskservice_local.kind import KindCluster
from taskservice_local.machine import Machine
from taskservice_local.paths import ClusterPaths
from taskservice_local.status import Report


class Cluster(Protocol):
    """What every kind of cluster can do."""

    @property
    def kind(self) -> str: ...
    def up(self) -> None: ...
    def add_gateway(self) -> None: ...
    def down(self) -> None: ...
    def load(self, archive: Path) -> None: ...
    def report(self) -> Report: ...


KINDS: dict[str, type[BuiltCluster] | type[KindCluster] | type[CurrentCluster]] = {
    "built": BuiltCluster,
    "kind": KindCluster,
    "current": CurrentCluster,
}


def choose(env: Mapping[str, str], machine: Machine, recorded: str | None) -> tuple[str, str]:
    """Return the kind of cluster and the reason for it.

    `recorded` is the kind that is up under this name, if any. Raises LocalError when this machine can run none, or
    what is asked for is unknown or differs from what is up.
    """
    asked = env.get("CLUSTER") or None
    if asked and asked not in KINDS:
        raise LocalError(f"CLUSTER={asked} is not known; use one of {', '.join(KINDS)}.")
    if recorded:
        if asked and asked != recorded:
            raise LocalError(f"A {recorded} cluster is up under this name; take it down before you ask for {asked}.")
        return recorded, f"Using the {recorded} cluster that is there already."
    if asked:
        return asked, f"Using {_described(asked)}, as asked by CLUSTER={asked}."
    if machine.docker_answers():
        return "kind", f"Using {_described('kind')}, because Docker answers."
    if machine.is_linux and machine.is_root:
        return "built", f"Using {_described('built')}, because Docker does not answer."
    raise LocalError(
        "Docker does not answer, and without it a cluster needs root on Linux: "
        "start Docker, or run `sudo make cluster`."
    )


def _described(kind: str) -> str:
    return {
        "built": "a one-node Kubernetes built from source",
        "kind": "a kind cluster",
        "current": "the cluster of the current kubeconfig context",
    }[kind]


def recorded_kind(paths: ClusterPaths) -> str | None:
    """Return the kind of the cluster that is there under this name, or None."""
    file = paths.state / "kind"
    if file.exists():
        return file.read_text().strip()
    # The state may have been removed by hand under a running cluster.
    machine = Machine()
    return "built" if machine.is_linux and machine.is_root and BuiltCluster(paths).exists() else None


def record_kind(paths: ClusterPaths, kind: str) -> None:
    """Write down which kind of cluster this name stands for, so that every later verb acts on it."""
    paths.state.mkdir(parents=True, exist_ok=True)
    (paths.state / "kind").write_text(kind + "\n")
