"""What project ``cluster`` tells: how to reach the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulumi import Output


@dataclass(frozen=True)
class ClusterOutputs:
    """``kubeconfig``: a file's path, or a kubeconfig that calls a program for its tokens, never one that holds them."""

    PROJECT: ClassVar[str] = "cluster"
    SECRET: ClassVar[frozenset[str]] = frozenset()

    kubeconfig: Output[str]
    context: Output[str]
