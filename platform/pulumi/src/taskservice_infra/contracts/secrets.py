"""What project ``secrets`` tells: where Vault is, and how the keeper is run against it. No secret among it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pulumi import Output


@dataclass(frozen=True)
class SecretsOutputs:
    """``ca_secret``: the Secret that holds the certificate of Vault's signer (``ca.crt``), None for plain HTTP.

    ``ca_config_map``: a ConfigMap with the same certificate in the operator's namespace.
    ``services``: namespace and ServiceAccount of each service that has a role; ``keeper_image``: a full reference.
    """

    PROJECT: ClassVar[str] = "secrets"
    SECRET: ClassVar[frozenset[str]] = frozenset()

    vault_address: Output[str]
    ca_secret: Output[str | None]
    ca_config_map: Output[str | None]
    keeper_image: Output[str]
    services: Output[list[list[str]]]
