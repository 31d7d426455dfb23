"""The gateway: Envoy Gateway by its own charts, its class, and the Redis in which it counts for its limits."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Secret, Service
from pulumi_kubernetes.helm.v3 import Release
from pulumi_kubernetes.helm.v4 import Chart

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.apps import EnvoyGateway as Settings

CLASS = "envoy"
COUNTS = "ratelimit-redis"
PROXY_USER = 65532


class GatewayArgs(Args):
    """``chart``, ``crds_chart``: folders or OCI addresses, both of ``version`` where they are published.

    ``images``: full references of gateway, ratelimit, proxy and redis; ``password``: of the counting Redis, secret.
    """

    namespace: str
    settings: Settings
    chart: str
    crds_chart: str
    version: str | None
    images: dict[str, str]
    password: pulumi.Output[str]


class Gateway(pulumi.ComponentResource):
    """Ready once the class ``envoy`` is accepted."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:apps:Gateway", name, None, opts)
        self.args = args
        definitions = Chart(
            "gateway-crds",
            chart=args.crds_chart,
            version=args.version,
            namespace=args.namespace,
            values={
                "crds": {"gatewayAPI": {"enabled": True, "channel": "standard"}, "envoyGateway": {"enabled": True}}
            },
            opts=child_of(self),
        )
        counts = self._counts()
        # A release: the chart makes the certificates of its own programs in a hook.
        release = Release(
            "envoy-gateway",
            name="envoy-gateway",
            chart=args.chart,
            version=args.version,
            namespace=args.namespace,
            skip_crds=True,
            values=_values(args),
            timeout=300,
            opts=child_of(self, depends_on=[definitions, *counts]),
        )
        proxies = CustomResource(
            "envoy-proxy",
            api_version="gateway.envoyproxy.io/v1alpha1",
            kind="EnvoyProxy",
            metadata={"name": "platform", "namespace": args.namespace},
            spec=_proxies(args),
            opts=child_of(self, depends_on=[definitions]),
        )
        CustomResource(
            "gateway-class",
            api_version="gateway.networking.k8s.io/v1",
            kind="GatewayClass",
            metadata={"name": CLASS, "annotations": {"pulumi.com/waitFor": "condition=Accepted"}},
            spec={
                "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "parametersRef": {
                    "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy",
                    "name": "platform", "namespace": args.namespace,
                },
            },
            opts=child_of(self, depends_on=[release, proxies]),
        )  # fmt: skip
        self.register_outputs({})

    def _counts(self) -> list[pulumi.Resource]:
        """Where the rate limit service counts: a Redis that keeps nothing; a lost count is a minute's generosity."""
        metadata: Any = {"name": COUNTS, "namespace": self.args.namespace, "labels": workloads.labels(COUNTS)}
        secret = Secret(COUNTS, metadata=metadata, string_data={"password": self.args.password}, opts=child_of(self))
        ports: Any = [{"name": "redis", "port": 6379, "targetPort": "redis", "protocol": "TCP"}]
        service = Service(
            COUNTS,
            metadata=metadata,
            spec={"selector": workloads.selector(COUNTS), "ports": ports},
            opts=child_of(self),
        )
        words = (
            "--port", "6379", "--bind", "0.0.0.0", "--save", "", "--appendonly", "no",  # noqa: S104 - of its pod
            "--maxmemory", "32mb", "--maxmemory-policy", "volatile-ttl", "--requirepass", "$(REDIS_PASSWORD)",
        )  # fmt: skip
        container = {
            "name": "redis",
            "image": self.args.images["redis"],
            "imagePullPolicy": "IfNotPresent",
            "command": ["redis-server"],
            "args": list(words),
            "env": [
                {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": COUNTS, "key": "password"}}},
            ],
            "ports": [{"name": "redis", "containerPort": 6379, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 2},
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": workloads.container_security(),
        }
        spec: Any = {
            "selector": {"matchLabels": workloads.selector(COUNTS)},
            "template": {
                "metadata": {"labels": workloads.labels(COUNTS)},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": workloads.pod_security(),
                    "containers": [container],
                },
            },
        }
        server = Deployment(COUNTS, metadata=metadata, spec=spec, opts=child_of(self, depends_on=[secret]))
        return [service, server]


def _values(args: GatewayArgs) -> dict[str, Any]:
    password = {"secretKeyRef": {"name": COUNTS, "key": "password"}}
    container = {
        "env": [{"name": "REDIS_AUTH", "valueFrom": password}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
    }
    address = f"{COUNTS}.{args.namespace}.svc.cluster.local:6379"
    return {
        "crds": {"enabled": False},
        "topologyInjector": {"enabled": False},
        "global": {
            "images": {
                "envoyGateway": {"image": args.images["gateway"], "pullPolicy": "IfNotPresent"},
                "ratelimit": {"image": args.images["ratelimit"], "pullPolicy": "IfNotPresent"},
            }
        },
        "deployment": {
            "replicas": args.settings.replicas,
            "envoyGateway": {"resources": {"requests": {"cpu": "20m", "memory": "96Mi"}}},
        },
        "config": {
            "envoyGateway": {
                "provider": {"type": "Kubernetes", "kubernetes": {"rateLimitDeployment": {"container": container}}},
                "rateLimit": {
                    "backend": {"type": "Redis", "redis": {"url": address}},
                    # The default of 20 ms is often missed on a busy small machine, and a miss lets a request pass.
                    "timeout": "500ms",
                    "failClosed": False,
                },
            }
        },
    }


def _service(args: GatewayArgs) -> dict[str, Any]:
    ranges = [str(each) for each in args.settings.source_ranges]
    return {"type": args.settings.service, **({"loadBalancerSourceRanges": ranges} if ranges else {})}


def _proxies(args: GatewayArgs) -> dict[str, Any]:
    container = {
        "image": args.images["proxy"],
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": args.settings.proxy_memory}},
        "securityContext": {
            **workloads.container_security(),
            "runAsNonRoot": True,
            "runAsUser": PROXY_USER,
            "runAsGroup": PROXY_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    # A second without processor time is common on a small machine: one missed answer must not take a proxy out.
    patient = [
        {
            "name": name,
            "startupProbe": {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 120},
            "readinessProbe": {"timeoutSeconds": 5},
            "livenessProbe": {"timeoutSeconds": 5},
        }
        for name in ("envoy", "shutdown-manager")
    ]
    return {
        "concurrency": args.settings.proxy_threads,
        "provider": {
            "type": "Kubernetes",
            "kubernetes": {
                "envoyService": _service(args),
                "envoyDeployment": {
                    "container": container,
                    "pod": {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
                    "patch": {
                        "type": "StrategicMerge",
                        "value": {"spec": {"template": {"spec": {"containers": patient}}}},
                    },
                },
            },
        },
    }
