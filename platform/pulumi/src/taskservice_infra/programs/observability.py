"""Project ``observability``: metrics, logs and traces, each by the provider that the stack file names."""

from __future__ import annotations

from typing import assert_never

import pulumi

from taskservice_infra import images
from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.observability.alertmanager import Alertmanager, AlertmanagerArgs
from taskservice_infra.components.observability.charts import (
    CollectorChart,
    LogsChart,
    MetricsChart,
    MetricsChartArgs,
    TracesChart,
)
from taskservice_infra.components.observability.collector import Collector, CollectorArgs
from taskservice_infra.components.observability.grafana import GrafanaContent, GrafanaContentArgs
from taskservice_infra.components.observability.jaeger import Jaeger, JaegerArgs
from taskservice_infra.components.observability.loki import Loki, LokiArgs
from taskservice_infra.components.observability.prometheus import Prometheus, PrometheusArgs
from taskservice_infra.config import observability as config
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.exchange import publish, read
from taskservice_infra.contracts.observability import ObservabilityOutputs
from taskservice_infra.local_machine import LocalMachine, ThisMachine

NAMESPACE, NODES = "observability", "observability-nodes"
"""NODES is for what reads folders of the nodes, which NAMESPACE does not allow."""
GENERATED = "observability/generated"
DASHBOARDS = ("service", "rollout", "operator", "data", "slo")


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when settings or images cannot be had."""
    settings = from_engine(config.ObservabilitySettings, "observability")
    ObservabilityProgram(settings, machine or ThisMachine()).declare()


class ObservabilityProgram:
    """One run: settings, the machine, and the options that put components into the cluster."""

    def __init__(self, settings: config.ObservabilitySettings, machine: LocalMachine) -> None:
        self.settings = settings
        self.machine = machine

    def declare(self) -> None:
        """Declare all resources and publish the outputs."""
        self.options = on(cluster_provider(read(ClusterOutputs)))
        metrics, loki, jaeger = self._metrics(), self._logs(), self._traces()
        GrafanaContent(
            "grafana-content",
            GrafanaContentArgs(
                namespace=NAMESPACE,
                dashboards={
                    f"taskservice-{name}.json": self._text(f"dashboards/taskservice-{name}.json") for name in DASHBOARDS
                },
                datasources=self._text("grafana/datasources.yaml"),
            ),
            self.options,
        )
        publish(
            ObservabilityOutputs(
                otlp_endpoint=self._collector(), prometheus_url=metrics, loki_url=loki, jaeger_url=jaeger
            )
        )

    def _metrics(self) -> pulumi.Output[str]:
        rules = {name: self._text(f"rules/{name}") for name in ("recording.yaml", "alerts.yaml")}
        grafana, runbooks = self.settings.grafana_url, self.settings.runbooks_url
        match self.settings.metrics:
            case config.MetricsLocal() as settings:
                Alertmanager(
                    "alertmanager",
                    AlertmanagerArgs(
                        namespace=NAMESPACE,
                        image=self._image(settings.alertmanager_image),
                        configuration=self._text("local/alertmanager.yaml"),
                    ),
                    self.options,
                )
                args = PrometheusArgs(
                    namespace=NAMESPACE,
                    settings=settings,
                    image=self._image(settings.image),
                    sidecar_image=self._image(settings.sidecar_image),
                    configuration=self._text("local/prometheus.yaml"),
                    rules=rules,
                    sidecar=self.machine.text("observability/src/taskservice_observability/prometheus_sidecar.py"),
                    grafana_url=grafana,
                    runbooks_url=runbooks,
                )
                return Prometheus("prometheus", args, self.options).url
            case config.MetricsCharts() as settings:
                chart = MetricsChartArgs(
                    namespace=NAMESPACE, settings=settings, rules=rules, grafana_url=grafana, runbooks_url=runbooks
                )
                return MetricsChart("metrics", chart, self.options).url
            case unknown:
                assert_never(unknown)

    def _logs(self) -> pulumi.Output[str]:
        match self.settings.logs:
            case config.LogsLocal() as settings:
                args = LokiArgs(
                    namespace=NAMESPACE,
                    settings=settings,
                    image=self._image(settings.image),
                    configuration=self._text("local/loki.yaml"),
                )
                return Loki("loki", args, self.options).url
            case config.LogsCharts() as settings:
                return LogsChart("loki", NAMESPACE, settings, self.options).url
            case unknown:
                assert_never(unknown)

    def _traces(self) -> pulumi.Output[str]:
        configuration = self._text("local/jaeger.yaml")
        match self.settings.traces:
            case config.TracesLocal() as settings:
                args = JaegerArgs(
                    namespace=NAMESPACE,
                    settings=settings,
                    image=self._image(settings.image),
                    configuration=configuration,
                )
                return Jaeger("jaeger", args, self.options).url
            case config.TracesCharts() as settings:
                return TracesChart("jaeger", NAMESPACE, settings, configuration, self.options).url
            case unknown:
                assert_never(unknown)

    def _collector(self) -> pulumi.Output[str]:
        configuration = self._text("local/collector.yaml")
        match self.settings.collector:
            case config.CollectorLocal() as settings:
                args = CollectorArgs(
                    namespace=NODES,
                    settings=settings,
                    image=self._image(settings.image),
                    configuration=configuration,
                    logs=self.machine.pod_logs(),
                )
                return Collector("collector", args, self.options).endpoint
            case config.CollectorCharts() as settings:
                return CollectorChart("collector", NODES, settings, configuration, self.options).endpoint
            case unknown:
                assert_never(unknown)

    def _image(self, reference: str) -> str:
        return images.resolve(reference, self.machine)

    def _text(self, name: str) -> str:
        return self.machine.text(f"{GENERATED}/{name}")
