"""Project ``secrets``: which Vault, how it opens, who keeps it, and when it is saved."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from taskservice_infra.config.cluster import Name
from taskservice_infra.config.data import Durable, Majority, Quantity, Schedule
from taskservice_infra.config.settings import Settings
from taskservice_infra.images import ImageReference


class AwsKms(Settings):
    """A key of AWS KMS; Vault's ServiceAccount has a role that may use it (``serviceAccountAnnotations``)."""

    kind: Literal["awskms"]
    region: str = Field(min_length=1)
    key: str = Field(min_length=1)


class GcpKms(Settings):
    """A key of Google Cloud KMS."""

    kind: Literal["gcpckms"]
    project: str = Field(min_length=1)
    region: str = Field(min_length=1)
    key_ring: str = Field(min_length=1)
    key: str = Field(min_length=1)


class AzureKeyVault(Settings):
    """A key of Azure Key Vault."""

    kind: Literal["azurekeyvault"]
    tenant: str = Field(min_length=1)
    vault: str = Field(min_length=1)
    key: str = Field(min_length=1)


class Transit(Settings):
    """The transit engine of another Vault; ``tokenSecret`` names a Secret with its token under the key ``token``."""

    kind: Literal["transit"]
    address: str = Field(pattern=r"^https://\S+$")
    key: str = Field(min_length=1)
    mount: str = "transit"
    token_secret: Name


Seal = Annotated[AwsKms | GcpKms | AzureKeyVault | Transit, Field(discriminator="kind")]
"""What opens a Vault by itself."""


class VaultDev(Settings):
    """One node on one volume, opened by the keeper: for one machine. Plain HTTP within the cluster.

    ``program``: ``vault``, or ``bao`` for an image of OpenBao.
    """

    provider: Literal["dev"]
    image: ImageReference = "local:vault"
    program: Literal["vault", "bao"] = "vault"
    memory: Quantity = "384Mi"
    storage: Durable = Durable(size="1Gi")


class VaultByChart(Settings):
    """Several nodes by the upstream chart: raft among them, TLS, opened by a key management service.

    ``tlsSecret`` names a Secret in namespace ``secrets`` with ``ca.crt``, ``tls.crt`` and ``tls.key`` for
    ``*.vault-internal``, ``vault`` and ``vault-active`` (cert-manager makes one).
    """

    replicas: Majority = 3
    seal: Seal
    tls_secret: Name = "vault-tls"  # noqa: S105 - a Secret's name
    storage: Durable = Durable(size="10Gi")
    service_account_annotations: dict[str, str] = Field(default_factory=dict)


class Vault(VaultByChart):
    """HashiCorp Vault."""

    provider: Literal["vault"]
    chart_version: str = "0.34.1"
    image_tag: str = "2.0.4"


class OpenBao(VaultByChart):
    """OpenBao, the fork under an open licence; its API is Vault's."""

    provider: Literal["openbao"]
    chart_version: str = "0.29.2"
    image_tag: str = "2.6.2"


class Snapshots(Settings):
    """When Vault is saved, where to, and how many are kept: the newest, and one of each of the last days."""

    schedule: Schedule = "17 */6 * * *"
    keep: int = Field(default=8, ge=1, le=1000)
    keep_days: int = Field(default=14, ge=0, le=1000)
    storage: Durable = Durable(size="5Gi")


class Service(Settings):
    """A service that has secrets: its ServiceAccount."""

    namespace: Name
    service_account: Name


class SecretsSettings(Settings):
    """All of ``secrets:``. ``keyShares`` and ``keyThreshold``: of a new Vault's key, or of its recovery key."""

    vault: Annotated[VaultDev | Vault | OpenBao, Field(discriminator="provider")]
    keeper_image: ImageReference = "local:keeper"
    key_shares: int = Field(default=1, ge=1, le=255)
    key_threshold: int = Field(default=1, ge=1, le=255)
    snapshots: Snapshots = Snapshots()
    services: tuple[Service, ...] = (
        Service(namespace="apps", service_account="auth"),
        Service(namespace="apps", service_account="tasks"),
        Service(namespace="apps", service_account="worker"),
    )

    @model_validator(mode="after")
    def _threshold_can_be_met(self) -> Self:
        if self.key_threshold > self.key_shares:
            raise ValueError(
                f"keyThreshold: {self.key_threshold} shares can never be given, there are {self.key_shares} (keyShares)"
            )
        if self.key_shares > 1 and self.key_threshold == 1:
            raise ValueError("keyThreshold: must be at least 2 where there are several keyShares")
        return self

    @model_validator(mode="after")
    def _roles_differ(self) -> Self:
        roles = [f"{service.namespace}-{service.service_account}" for service in self.services]
        if twice := sorted({role for role in roles if roles.count(role) > 1}):
            raise ValueError(f"services: two of them would share the role {twice[0]}; rename one's ServiceAccount")
        return self
