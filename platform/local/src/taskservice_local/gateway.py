"""The gateway, asked for by GATEWAY=1: Gateway API's resources, Envoy Gateway with its class `envoy`, and global rate
limits that are counted in Redis.

Installed by Envoy Gateway's own charts, out of the part that was built. What is installed is written on the namespace,
so that asking again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskservice_local import builder, image_catalogue
from taskservice_local.commands import run, wait_for
from taskservice_local.errors import LocalError
from taskservice_local.images import Image
from taskservice_local.kubectl import Kubectl
from taskservice_local.parts import ENVOY_GATEWAY, HELM, NEEDED_FOR_A_GATEWAY
from taskservice_local.paths import MANIFESTS
from taskservice_local.program_images import ENVOY_GATEWAY_IMAGE, RATELIMIT_IMAGE
from taskservice_local.progress import step

NAMESPACE = "envoy-gateway-system"
CLASS = "envoy"
REDIS_SECRET = "ratelimit-redis"  # noqa: S105 - a name
INSTALLED = "taskservice.dev/installed"
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
DEPLOYMENTS = ("envoy-gateway", "envoy-ratelimit", "ratelimit-redis")


def asked_for(env: Mapping[str, str]) -> bool:
    """Tell whether GATEWAY asks for a gateway. Raises LocalError for a word that is neither yes nor no."""
    word = env.get("GATEWAY", "")
    if word not in {"", "0", "1"}:
        raise LocalError(f"GATEWAY={word} is not known; use GATEWAY=1 for a cluster with a gateway.")
    return word == "1"


@dataclass(frozen=True)
class Gateway:
    """The gateway of one cluster. `load` imports an image archive, `home` is for Helm's files."""

    kubectl: Kubectl
    load: Callable[[Path], None]
    home: Path

    def ensure(self) -> None:
        """Install the gateway, or what changed of it, and wait until it serves. Raises LocalError."""
        builder.build((HELM, *NEEDED_FOR_A_GATEWAY))
        envoy, redis = image_catalogue.ensure("envoy"), image_catalogue.ensure("redis")
        with step("starting the gateway"):
            for archive in (ENVOY_GATEWAY_IMAGE.archive(), RATELIMIT_IMAGE.archive(), envoy.archive, redis.archive):
                self.load(archive)
            wanted = fingerprint(envoy, redis)
            if self._installed() != wanted:
                self._install(envoy, redis)
                self.kubectl("annotate", "namespace", NAMESPACE, f"{INSTALLED}={wanted}", "--overwrite")
            wait_for("the gateway", self.ready, 240, every=0.5)

    def exists(self) -> bool:
        """Tell whether the cluster was ever given a gateway."""
        return self.kubectl.get("namespace", NAMESPACE) is not None

    def ready(self) -> bool:
        """Tell whether all of its own programs are available and the class is accepted."""
        found = self.kubectl.get("deployments", f"--namespace={NAMESPACE}") or {"items": []}
        available = {item["metadata"]["name"] for item in found["items"] if _is_available(item)}
        accepted = self.kubectl.get("gatewayclass", CLASS) or {}
        conditions = accepted.get("status", {}).get("conditions", [])
        return available >= set(DEPLOYMENTS) and any(
            each["type"] == "Accepted" and each["status"] == "True" for each in conditions
        )

    def _installed(self) -> str:
        found = self.kubectl.get("namespace", NAMESPACE) or {}
        return found.get("metadata", {}).get("annotations", {}).get(INSTALLED, "")

    def _install(self, envoy: Image, redis: Image) -> None:
        definitions = self._helm(
            "template", "crds", ENVOY_GATEWAY.kept("charts/gateway-crds-helm"),
            "--set=crds.gatewayAPI.enabled=true,crds.gatewayAPI.channel=standard,crds.envoyGateway.enabled=true",
        )  # fmt: skip
        # On the server's side: some are larger than the annotation that kubectl would leave.
        self.kubectl("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-", input=definitions)
        classes = ("gatewayclasses.gateway.networking.k8s.io", "envoyproxies.gateway.envoyproxy.io")
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", *classes)
        if not self.exists():
            self.kubectl("create", "namespace", NAMESPACE)
        self.kubectl("label", "namespace", NAMESPACE, RESTRICTED, "--overwrite")
        if self.kubectl.get("secret", REDIS_SECRET, f"--namespace={NAMESPACE}") is None:
            self.kubectl("apply", "-f", "-", input=json.dumps(_redis_secret()))
        self.kubectl.apply("gateway-limits.yaml", image=redis.reference)
        self.home.mkdir(parents=True, exist_ok=True)
        values = self.home / "envoy-gateway-values.json"
        values.write_text(json.dumps(chart_values()))
        self._helm(
            "upgrade", "--install", "envoy-gateway", ENVOY_GATEWAY.kept("charts/gateway-helm"),
            f"--namespace={NAMESPACE}", "--skip-crds", f"--values={self._template()}", f"--values={values}",
        )  # fmt: skip
        self.kubectl.apply("gateway-class.yaml", image=envoy.reference)

    def _template(self) -> Path:
        """Write the chart's defaults, which its project completes when it publishes the chart."""
        text = (ENVOY_GATEWAY.kept("charts/gateway-helm") / "values.tmpl.yaml").read_text()
        filled = self.home / "envoy-gateway-defaults.yaml"
        filled.write_text(
            text.replace("${GatewayImagePullPolicy}", "IfNotPresent").replace(
                "${GatewayImage}", ENVOY_GATEWAY_IMAGE.reference
            )
        )
        return filled

    def _helm(self, *words: str | Path) -> str:
        home = {name: str(self.home) for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")}
        kubeconfig = self.kubectl.base[1]
        return run([builder.ensure_binary("helm"), *words, kubeconfig], env=home)


def chart_values() -> dict[str, Any]:
    """Return what differs here from the chart's defaults."""
    redis = f"ratelimit-redis.{NAMESPACE}.svc.cluster.local:6379"
    password = {"secretKeyRef": {"name": REDIS_SECRET, "key": "password"}}
    limits = {
        "container": {
            "env": [{"name": "REDIS_AUTH", "valueFrom": password}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        }
    }
    return {
        "crds": {"enabled": False},  # applied before, from the standard channel
        "topologyInjector": {"enabled": False},  # there is one zone
        "global": {"images": {"ratelimit": {"image": RATELIMIT_IMAGE.reference}}},
        "deployment": {"envoyGateway": {"resources": {"requests": {"cpu": "20m", "memory": "96Mi"}}}},
        "config": {
            "envoyGateway": {
                "provider": {"type": "Kubernetes", "kubernetes": {"rateLimitDeployment": limits}},
                "rateLimit": {
                    "backend": {"type": "Redis", "redis": {"url": redis}},
                    # The default of 20 ms is often missed on a busy small machine, and a miss lets a request pass.
                    "timeout": "500ms",
                    "failClosed": False,
                },
            }
        },
    }


def fingerprint(envoy: Image, redis: Image) -> str:
    """Return twelve hex digits over all that decides what is installed."""
    images = (ENVOY_GATEWAY_IMAGE.reference, RATELIMIT_IMAGE.reference, envoy.reference, redis.reference)
    manifests = [(MANIFESTS / name).read_text() for name in ("gateway-class.yaml", "gateway-limits.yaml")]
    return hashlib.sha256(json.dumps([images, manifests, chart_values()]).encode()).hexdigest()[:12]


def _redis_secret() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": REDIS_SECRET, "namespace": NAMESPACE},
        "stringData": {"password": secrets.token_hex(16)},
    }


def _is_available(deployment: dict[str, Any]) -> bool:
    status, generation = deployment.get("status", {}), deployment["metadata"]["generation"]
    if status.get("observedGeneration") != generation:
        return False
    return any(each["type"] == "Available" and each["status"] == "True" for each in status.get("conditions", []))
