"""What project ``observability`` tells: where spans are sent, and who answers questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulumi import Output


@dataclass(frozen=True)
class ObservabilityOutputs:
    """Addresses inside the cluster.  ``otlp_endpoint`` is of OTLP over HTTP, as services are given it."""

    PROJECT: ClassVar[str] = "observability"
    SECRET: ClassVar[frozenset[str]] = frozenset()

    otlp_endpoint: Output[str]
    prometheus_url: Output[str]
    loki_url: Output[str]
    jaeger_url: Output[str]
