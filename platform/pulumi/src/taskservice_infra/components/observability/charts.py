"""The same by upstream charts at pinned versions, for clusters that last."""

from __future__ import annotations

from typing import Any

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.observability import CollectorCharts, LogsCharts, MetricsCharts, TracesCharts
from taskservice_infra.versions import JAEGER, KUBE_PROMETHEUS_STACK, LOKI, OTEL_COLLECTOR, ChartPin

TIMEOUT_SECONDS = 900


class MetricsChartArgs(Args):
    """``rules``: rule files by name, which become PrometheusRules; the addresses are what alerts link to."""

    namespace: str
    settings: MetricsCharts
    rules: dict[str, str]
    grafana_url: str
    runbooks_url: str


class MetricsChart(pulumi.ComponentResource):
    """kube-prometheus-stack, our rules, and monitors of the pods that it would not find by itself."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: MetricsChartArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:observability:MetricsChart", name, None, opts)
        release = _install(self, "metrics", KUBE_PROMETHEUS_STACK, args.namespace, _metrics_values(args))
        for file, text in args.rules.items():
            self._custom(
                args, release, "PrometheusRule", f"taskservice-{file.removesuffix('.yaml')}", yaml.safe_load(text)
            )
        self._custom(args, release, "PodMonitor", "taskservice", _pod_monitor())
        self.url = release.id.apply(lambda _: f"http://prometheus-operated.{args.namespace}.svc.cluster.local:9090")
        self.register_outputs({"url": self.url})

    def _custom(self, args: MetricsChartArgs, release: Release, kind: str, name: str, spec: Any) -> None:
        CustomResource(
            name,
            api_version="monitoring.coreos.com/v1",
            kind=kind,
            metadata={"name": name, "namespace": args.namespace, "labels": workloads.labels("taskservice")},
            spec=spec,
            opts=child_of(self, depends_on=[release]),
        )


class LogsChart(pulumi.ComponentResource):
    """Loki in one process: on a volume, or on an object store where ``bucket`` is given."""

    url: pulumi.Output[str]

    def __init__(
        self, name: str, namespace: str, settings: LogsCharts, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("taskservice:observability:LogsChart", name, None, opts)
        release = _install(self, "loki", LOKI, namespace, _logs_values(settings))
        self.url = release.id.apply(lambda _: f"http://loki.{namespace}.svc.cluster.local:3100")
        self.register_outputs({"url": self.url})


class TracesChart(pulumi.ComponentResource):
    """Jaeger in one process."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        namespace: str,
        settings: TracesCharts,
        configuration: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("taskservice:observability:TracesChart", name, None, opts)
        values = {
            "fullnameOverride": "jaeger",
            "userconfig": yaml.safe_load(configuration),
            "jaeger": {"resources": {"limits": {"memory": settings.memory}, "requests": {"memory": settings.memory}}},
        }
        release = _install(self, "jaeger", JAEGER, namespace, values)
        self.url = release.id.apply(lambda _: f"http://jaeger.{namespace}.svc.cluster.local:16686")
        self.register_outputs({"url": self.url})


class CollectorChart(pulumi.ComponentResource):
    """The collector as a DaemonSet, with our configuration."""

    endpoint: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        namespace: str,
        settings: CollectorCharts,
        configuration: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("taskservice:observability:CollectorChart", name, None, opts)
        values = {
            "fullnameOverride": "otel-collector",
            "mode": "daemonset",
            "image": {"repository": "docker.io/otel/opentelemetry-collector-k8s"},
            "presets": {"logsCollection": {"enabled": True}, "kubernetesAttributes": {"enabled": True}},
            "service": {"enabled": True},
            "alternateConfig": yaml.safe_load(configuration),
            "resources": {"limits": {"memory": settings.memory}, "requests": {"memory": "128Mi"}},
        }
        release = _install(self, "otel-collector", OTEL_COLLECTOR, namespace, values)
        self.endpoint = release.id.apply(lambda _: f"http://otel-collector.{namespace}.svc.cluster.local:4318")
        self.register_outputs({"endpoint": self.endpoint})


def _install(
    parent: pulumi.ComponentResource, name: str, pin: ChartPin, namespace: str, values: dict[str, Any]
) -> Release:
    return Release(
        name,
        name=name,
        chart=pin.chart,
        version=pin.version,
        repository_opts=RepositoryOptsArgs(repo=pin.repository) if pin.repository else None,
        namespace=namespace,
        values=values,
        atomic=True,
        timeout=TIMEOUT_SECONDS,
        opts=child_of(parent),
    )


def _metrics_values(args: MetricsChartArgs) -> dict[str, Any]:
    settings = args.settings
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": settings.storage.size}},
        **({"storageClassName": settings.storage.class_name} if settings.storage.class_name else {}),
    }
    everywhere = {f"{kind}SelectorNilUsesHelmValues": False for kind in ("rule", "podMonitor", "serviceMonitor")}
    hooks = [{"url": settings.receiver, "send_resolved": True}] if settings.receiver else []
    return {
        "fullnameOverride": "metrics",
        "prometheus": {
            "prometheusSpec": {
                **everywhere,
                "replicas": settings.replicas,
                "retention": settings.retention,
                "enableFeatures": ["exemplar-storage"],
                "externalLabels": {"grafana": args.grafana_url, "runbooks": args.runbooks_url},
                "resources": {"requests": {"memory": settings.memory}, "limits": {"memory": settings.memory}},
                "storageSpec": {"volumeClaimTemplate": {"spec": claim}},
            }
        },
        "alertmanager": {
            "config": {
                "route": {"receiver": "people", "group_by": ["alertname", "namespace", "taskservice"]},
                "receivers": [{"name": "people", "webhook_configs": hooks}],
            }
        },
        "grafana": {
            "sidecar": {
                "dashboards": {
                    "enabled": True,
                    "label": "grafana_dashboard",
                    "labelValue": "1",
                    "searchNamespace": "ALL",
                },
                "datasources": {"enabled": True, "label": "grafana_datasource", "defaultDatasourceEnabled": False},
            }
        },
    }


def _pod_monitor() -> dict[str, Any]:
    """Pods of TaskServices in all namespaces, with the labels that rules and dashboards read."""
    meta = "__meta_kubernetes_pod"
    labels = {
        "taskservice": f"{meta}_label_taskservice_dev_name",
        "revision": f"{meta}_label_taskservice_dev_revision",
        "colour": f"{meta}_label_taskservice_dev_colour",
    }
    job = {"targetLabel": "job", "replacement": "taskservice"}
    return {
        "namespaceSelector": {"any": True},
        "selector": {"matchExpressions": [{"key": "taskservice.dev/name", "operator": "Exists"}]},
        "podMetricsEndpoints": [
            {
                "port": "management",
                "relabelings": [
                    job,
                    *({"sourceLabels": [source], "targetLabel": name} for name, source in labels.items()),
                ],
                "metricRelabelings": [{"action": "labeldrop", "regex": "exported_.*"}],
            }
        ],
    }


def _logs_values(settings: LogsCharts) -> dict[str, Any]:
    store: dict[str, Any] = {"type": "filesystem"}
    if settings.bucket:
        store = {
            "type": "s3",
            "bucketNames": dict.fromkeys(("chunks", "ruler", "admin"), settings.bucket),
            "s3": {"region": settings.region},
        }
    return {
        "fullnameOverride": "loki",
        "deploymentMode": "SingleBinary",
        "loki": {
            "auth_enabled": False,
            "commonConfig": {"replication_factor": 1},
            "storage": store,
            "limits_config": {"allow_structured_metadata": True, "retention_period": "744h"},
            "schemaConfig": {
                "configs": [
                    {
                        "from": "2025-01-01",
                        "store": "tsdb",
                        "object_store": store["type"],
                        "schema": "v13",
                        "index": {"prefix": "index_", "period": "24h"},
                    }
                ]
            },
        },
        "singleBinary": {
            "replicas": 1,
            "persistence": {"size": settings.storage.size, "storageClass": settings.storage.class_name},
            "resources": {"limits": {"memory": settings.memory}, "requests": {"memory": settings.memory}},
        },
        **{part: {"replicas": 0} for part in ("read", "write", "backend")},
        "gateway": {"enabled": False},
    }
