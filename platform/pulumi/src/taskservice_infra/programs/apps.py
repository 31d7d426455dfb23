"""Project ``apps``: definitions, operator, gateway, and the sample on the databases of project ``data``."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pulumi

from taskservice_infra import images, passwords
from taskservice_infra.components.apps.certificates import Certificates, CertificatesArgs
from taskservice_infra.components.apps.definitions import Definitions, DefinitionsArgs
from taskservice_infra.components.apps.gateway import CLASS, Gateway, GatewayArgs
from taskservice_infra.components.apps.operator import Operator, OperatorArgs
from taskservice_infra.components.apps.sample import Sample, SampleArgs
from taskservice_infra.components.cluster.access import cluster_provider, on
from taskservice_infra.components.secrets.desired import NAMESPACE as VAULT
from taskservice_infra.components.secrets.keeper import VaultEndpoint
from taskservice_infra.components.secrets.service_secrets import (
    BUS,
    MONGO,
    REDIS,
    ServiceSecrets,
    ServiceSecretsArgs,
)
from taskservice_infra.config.apps import AppsSettings, EnvoyGateway, Vault
from taskservice_infra.config.apps import Sample as SampleSettings
from taskservice_infra.config.settings import from_engine
from taskservice_infra.contracts.cluster import ClusterOutputs
from taskservice_infra.contracts.data import DataOutputs
from taskservice_infra.contracts.exchange import read
from taskservice_infra.contracts.observability import ObservabilityOutputs
from taskservice_infra.contracts.secrets import SecretsOutputs
from taskservice_infra.local_machine import LocalMachine, ThisMachine
from taskservice_infra.versions import ENVOY_GATEWAY, ENVOY_GATEWAY_CRDS

SYSTEM = "taskservice-system"
APPS = "apps"
GATEWAYS = "envoy-gateway-system"
OTLP_GRPC = 4317
"""The registered port, which every collector takes spans at."""


def program(machine: LocalMachine | None = None) -> None:
    """Declare the resources.  Raises PlatformError before the first of them when settings or images cannot be had."""
    AppsProgram(from_engine(AppsSettings, "apps"), machine or ThisMachine()).declare()


class AppsProgram:
    """One run: settings, and the machine."""

    def __init__(self, settings: AppsSettings, machine: LocalMachine) -> None:
        self.settings = settings
        self.machine = machine

    def declare(self) -> None:
        """Declare all resources."""
        settings, machine = self.settings, self.machine
        image = images.resolve(settings.operator.image, machine)
        self.options = on(cluster_provider(read(ClusterOutputs)))
        definitions = Definitions(
            "definitions", DefinitionsArgs(namespace=SYSTEM, chart=machine.chart("taskservice-crds")), self.options
        )
        vault = self._vault(settings.vault) if settings.vault else {}
        operator = Operator(
            "operator",
            OperatorArgs(
                namespace=SYSTEM,
                chart=machine.chart("taskservice-operator"),
                image=image,
                settings=settings.operator,
                vault=vault,
                after=[definitions],
            ),
            self.options,
        )
        needed: list[pulumi.Resource] = [operator]
        if settings.gateway:
            needed.append(self._gateway(settings.gateway))
        if settings.sample:
            self._sample(settings.sample, after=needed)

    def _vault(self, settings: Vault) -> dict[str, Any]:
        """What the operator is told of Vault."""
        return {
            "address": self._secrets.vault_address,
            "caConfigMap": self._secrets.ca_config_map.apply(lambda name: name or ""),
            "pollSeconds": settings.poll_seconds,
        }

    @cached_property
    def _secrets(self) -> SecretsOutputs:
        return read(SecretsOutputs, "apps:vault")

    def _in_vault(self, data: DataOutputs) -> pulumi.Resource:
        """The addresses of the databases, put where the sample's services read them."""
        secrets = self._secrets
        endpoint = pulumi.Output.all(secrets.vault_address, secrets.ca_secret).apply(
            lambda known: VaultEndpoint(known[0], (), known[1])
        )
        args = ServiceSecretsArgs(
            namespace=VAULT,
            services_namespace=APPS,
            image=secrets.keeper_image,
            endpoint=endpoint,
            services=secrets.services,
            addresses={MONGO: data.mongodb_url, REDIS: data.redis_url, BUS: data.bus_url},
        )
        return ServiceSecrets("service-secrets", args, self.options).done

    def _in_secrets(self, data: DataOutputs) -> dict[str, pulumi.Output[str]]:
        """What the sample's Secrets hold, where there is no Vault."""
        return {
            MONGO: data.mongodb_url,
            REDIS: data.redis_url,
            BUS: data.bus_url,
            "TASKSERVICE_JWT_PRIVATE_KEY": self._secret(passwords.derive_signing_key(self._seed, "jwt")),
            "TASKSERVICE_DIRECTORY_TOKEN": self._secret(passwords.derive(self._seed, "directory", length=48)),
        }

    def _gateway(self, settings: EnvoyGateway) -> Gateway:
        built = settings.source == "built"
        args = GatewayArgs(
            namespace=GATEWAYS,
            settings=settings,
            chart=self.machine.chart("envoy-gateway/charts/gateway-helm") if built else ENVOY_GATEWAY.chart,
            crds_chart=self.machine.chart("envoy-gateway/charts/gateway-crds-helm")
            if built
            else ENVOY_GATEWAY_CRDS.chart,
            version=None if built else ENVOY_GATEWAY.version,
            images={
                "gateway": images.resolve(settings.image, self.machine),
                "ratelimit": images.resolve(settings.ratelimit_image, self.machine),
                "proxy": images.resolve(settings.proxy_image, self.machine),
                "redis": images.resolve(settings.redis_image, self.machine),
            },
            password=self._secret(passwords.derive(self._seed, "ratelimit")),
        )
        return Gateway("gateway", args, self.options)

    def _way_in(self, settings: SampleSettings) -> tuple[dict[str, Any], list[pulumi.Resource]]:
        """The values of the sample's gateway and what it waits for; nothing where the stack has no gateway."""
        if self.settings.gateway is None:
            return {}, []
        hostnames = settings.hostnames or ["taskservice.localhost"]
        args = CertificatesArgs(namespace=APPS, hostnames=hostnames, settings=settings.certificate)
        certificates = Certificates("certificates", args, self.options)
        values: dict[str, Any] = {
            "className": CLASS,
            "hostnames": settings.hostnames,
            "tls": {"secretName": certificates.secret_name},
            "replicas": settings.replicas,
        }
        if traces := self.settings.traces:
            values["tracing"] = {
                "collector": self._collector.apply(collector),
                "samplingPercent": traces.sampling_percent,
            }
        return values, [certificates]

    @cached_property
    def _collector(self) -> pulumi.Output[str]:
        """Where spans go, OTLP over HTTP."""
        return read(ObservabilityOutputs, "apps:traces").otlp_endpoint

    def _sample(self, settings: SampleSettings, after: list[pulumi.Resource]) -> None:
        data = read(DataOutputs, "apps:sample")
        gateway, certificates = self._way_in(settings)
        held = [self._in_vault(data)] if self.settings.vault else []
        args = SampleArgs(
            namespace=APPS,
            chart=self.machine.chart("taskservice-app"),
            image=images.resolve(settings.image, self.machine),
            settings=settings,
            credentials={} if self.settings.vault else self._in_secrets(data),
            gateway=gateway,
            spans=self._collector if self.settings.traces else None,
            after=[*after, *certificates, *held],
        )
        Sample("sample", args, self.options)

    @property
    def _seed(self) -> str:
        seed = self.settings.seed
        assert seed is not None  # noqa: S101 - settings demand one where something is derived
        return seed.get_secret_value()

    @staticmethod
    def _secret(value: str) -> pulumi.Output[str]:
        return pulumi.Output.secret(value)


def collector(endpoint: str) -> dict[str, Any]:
    """The Service behind an endpoint of OTLP, as the gateway's proxies are told it: they speak gRPC to it."""
    name, _, domain = (urlsplit(endpoint).hostname or endpoint).partition(".")
    return {"name": name, "namespace": domain.partition(".")[0], "port": OTLP_GRPC}
