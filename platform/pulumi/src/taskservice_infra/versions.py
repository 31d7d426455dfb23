"""The one home of versions that are not ours: charts and manifests of other projects, each pinned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChartPin:
    """A chart: ``repository`` is the address of an index, or None where ``chart`` is an OCI address."""

    chart: str
    version: str
    repository: str | None = None


PERCONA_MONGODB = ChartPin("psmdb-operator", "1.22.0", "https://percona.github.io/percona-helm-charts/")
MONGODB_COMMUNITY = ChartPin("mongodb-kubernetes", "1.10.0", "https://mongodb.github.io/helm-charts")
VALKEY = ChartPin("valkey", "0.11.0", "https://valkey.io/valkey-helm/")
REDIS_OPERATOR = ChartPin("redis-operator", "0.26.0", "https://ot-container-kit.github.io/helm-charts/")
STRIMZI = ChartPin("oci://quay.io/strimzi-helm/strimzi-kafka-operator", "0.51.0")
ENVOY_GATEWAY = ChartPin("oci://docker.io/envoyproxy/gateway-helm", "v1.9.0")
ENVOY_GATEWAY_CRDS = ChartPin("oci://docker.io/envoyproxy/gateway-crds-helm", "v1.9.0")
KUBE_PROMETHEUS_STACK = ChartPin(
    "kube-prometheus-stack", "88.5.3", "https://prometheus-community.github.io/helm-charts"
)
LOKI = ChartPin("loki", "18.11.0", "https://grafana-community.github.io/helm-charts")
JAEGER = ChartPin("jaeger", "4.11.1", "https://jaegertracing.github.io/helm-charts")
OTEL_COLLECTOR = ChartPin(
    "opentelemetry-collector", "0.170.0", "https://open-telemetry.github.io/opentelemetry-helm-charts"
)
RABBITMQ_OPERATOR = "https://github.com/rabbitmq/cluster-operator/releases/download/v2.18.0/cluster-operator.yml"

MONGODB_IMAGE = "docker.io/percona/percona-server-mongodb:8.0.19-7"
MONGODB_COMMUNITY_VERSION = "8.0.15"
KAFKA_VERSION = "4.1.1"
