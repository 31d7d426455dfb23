"""Project ``apps``: the operator, the way in, and the sample that shows both."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from taskservice_infra.config.addresses import SourceRange
from taskservice_infra.config.settings import MISSING_SEED, Settings
from taskservice_infra.images import ImageReference
from taskservice_infra.passwords import SEED_LENGTH


class Operator(Settings):
    """The operator; ``settings`` as in ``charts/taskservice-operator/values.yaml``."""

    image: ImageReference = "local:operator"
    replicas: int = Field(default=2, ge=1, le=5)
    settings: dict[str, bool | int | str] = Field(default_factory=dict)


class EnvoyGateway(Settings):
    """Envoy Gateway with its class ``envoy``; ``source``: its published charts, or those of the part built here."""

    provider: Literal["envoy"]
    source: Literal["published", "built"] = "published"
    image: ImageReference = "docker.io/envoyproxy/gateway:v1.9.0"
    ratelimit_image: ImageReference = "docker.io/envoyproxy/ratelimit:3fb70258"
    proxy_image: ImageReference = "docker.io/envoyproxy/envoy:distroless-v1.39.0"
    redis_image: ImageReference = "docker.io/valkey/valkey:9.1"
    service: Literal["LoadBalancer", "ClusterIP", "NodePort"] = "LoadBalancer"
    source_ranges: tuple[SourceRange, ...] = ()
    """Networks that a LoadBalancer takes; none: everybody, which the policy refuses in production."""
    replicas: int = Field(default=2, ge=1, le=5)
    proxy_threads: int = Field(default=2, ge=1, le=64)
    proxy_memory: str = "512Mi"


class SelfSignedCertificate(Settings):
    """A certificate that nobody vouches for, for development; made anew when it is deleted."""

    provider: Literal["self-signed"]


class CertManagerCertificate(Settings):
    """A certificate that cert-manager keeps; its issuer has to be there."""

    provider: Literal["cert-manager"]
    issuer: str
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"


Certificate = Annotated[SelfSignedCertificate | CertManagerCertificate, Field(discriminator="provider")]


class Latency(Settings):
    """``percentile`` percent of requests are answered within so many milliseconds, the end of a histogram's bucket."""

    percentile: int = Field(default=99, ge=95, le=99)
    milliseconds: int = Field(ge=1, le=60_000)


class Slo(Settings):
    """What is promised to callers, as TaskService.spec.slo has it; ``availability`` in percent, as text."""

    availability: str | None = Field(default=None, pattern=r"^9[5-9](\.[0-9]{1,4})?$")
    latency: Latency | None = None

    @model_validator(mode="after")
    def _promises(self) -> Self:
        if self.availability is None and self.latency is None:
            raise ValueError("promises nothing: give availability, latency, or both, or leave slo out")
        return self


class Sample(Settings):
    """The sample application: auth, tasks and worker."""

    image: ImageReference = "local:service"
    replicas: int = Field(default=2, ge=1, le=100)
    config: dict[str, str] = Field(default_factory=dict)
    slo: Slo | None = None
    """Of auth and of tasks; the worker answers nobody."""
    hostnames: list[str] = Field(default_factory=list)
    """Names that the gateway serves, where the stack has one; none: any name."""
    certificate: Certificate = SelfSignedCertificate(provider="self-signed")
    scale_down_delay_seconds: int = Field(default=300, ge=0)


class Vault(Settings):
    """The sample's credentials come from Vault of project ``secrets``, read by the operator for each service.

    ``poll_seconds``: after which a secret is read again, and so how soon a new version of it is released.
    """

    poll_seconds: int = Field(default=60, ge=5, le=3600)


class Traces(Settings):
    """Sample and gateway send spans to the collector of project ``observability``.

    ``sampling_percent``: of the requests that the gateway decides about; who calls without it decides itself.
    """

    sampling_percent: int = Field(default=100, ge=0, le=100)


class AppsSettings(Settings):
    """All of ``apps:``; ``gateway``, ``sample``, ``vault`` and ``traces`` are left out where they are not named.

    ``seed``: what keys, tokens and passwords are derived from.
    """

    seed: SecretStr | None = Field(default=None, min_length=SEED_LENGTH)
    operator: Operator = Operator()
    gateway: EnvoyGateway | None = None
    sample: Sample | None = None
    vault: Vault | None = None
    traces: Traces | None = None

    def needs(self) -> dict[str, str]:
        wanted = {"secrets": ("vault", self.vault), "data": ("sample", self.sample)}
        if self.sample:
            wanted["observability"] = ("traces", self.traces)
        return {project: key for project, (key, settings) in wanted.items() if settings}

    @model_validator(mode="after")
    def _has_a_seed(self) -> Self:
        derives = self.gateway is not None or (self.sample is not None and self.vault is None)
        if self.seed is None and derives:
            raise ValueError(MISSING_SEED.format(project="apps"))
        return self
