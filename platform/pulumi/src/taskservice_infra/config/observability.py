"""Project ``observability``: what keeps metrics, logs and traces, each with a provider of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from taskservice_infra.config.data import Durable, Quantity
from taskservice_infra.config.settings import Settings
from taskservice_infra.images import ImageReference

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?[^\s/]$")]
"""An address without a slash at its end."""
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[hdw]$")]
"""As Prometheus writes it: ``12h``, ``15d``, ``4w``."""


class MetricsLocal(Settings):
    """One Prometheus and one Alertmanager that keep what they have as long as their pods live."""

    provider: Literal["local"]
    image: ImageReference = "local:prometheus"
    alertmanager_image: ImageReference = "local:alertmanager"
    sidecar_image: ImageReference = "local:operator"
    """Has Python: it finds pods and rules of TaskServices for Prometheus."""
    retention: Duration = "2d"
    memory: Quantity = "512Mi"


class MetricsCharts(Settings):
    """kube-prometheus-stack: Prometheus with its operator, Alertmanager, and Grafana with our dashboards."""

    provider: Literal["charts"]
    replicas: int = Field(2, ge=1, le=4)
    retention: Duration = "30d"
    memory: Quantity = "2Gi"
    storage: Durable = Durable(size="50Gi")
    receiver: Url | None = None
    """A webhook that alerts are sent to; without one they are only shown."""


class LogsLocal(Settings):
    """One Loki that keeps lines as long as its pod lives."""

    provider: Literal["local"]
    image: ImageReference = "local:loki"
    memory: Quantity = "384Mi"


class LogsCharts(Settings):
    """Loki by its chart, in one process, with a volume; for an object store see ``bucket``."""

    provider: Literal["charts"]
    storage: Durable = Durable(size="50Gi")
    bucket: str | None = None
    region: str | None = None
    memory: Quantity = "2Gi"


class TracesLocal(Settings):
    """One Jaeger that keeps the newest traces in memory."""

    provider: Literal["local"]
    image: ImageReference = "local:jaeger"
    memory: Quantity = "384Mi"


class TracesCharts(Settings):
    """Jaeger by its chart, traces in memory: give it a store of its own before you rely on old ones."""

    provider: Literal["charts"]
    memory: Quantity = "2Gi"


class CollectorLocal(Settings):
    """A collector on each node: lines of pods to Loki, spans to Jaeger."""

    provider: Literal["local"]
    image: ImageReference = "local:otelcol"
    memory: Quantity = "256Mi"


class CollectorCharts(Settings):
    """The same by the OpenTelemetry collector's chart."""

    provider: Literal["charts"]
    memory: Quantity = "512Mi"


Metrics = Annotated[MetricsLocal | MetricsCharts, Field(discriminator="provider")]
Logs = Annotated[LogsLocal | LogsCharts, Field(discriminator="provider")]
Traces = Annotated[TracesLocal | TracesCharts, Field(discriminator="provider")]
Collector = Annotated[CollectorLocal | CollectorCharts, Field(discriminator="provider")]


class ObservabilitySettings(Settings):
    """All of ``observability:``.  ``grafana_url`` and ``runbooks_url`` are what alerts link to."""

    metrics: Metrics
    logs: Logs
    traces: Traces
    collector: Collector
    grafana_url: Url
    runbooks_url: Url
