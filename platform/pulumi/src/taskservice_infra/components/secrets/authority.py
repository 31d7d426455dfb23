"""The certificate of Vault's signer, where the operator can mount it: in the operator's own namespace."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.errors import PlatformError

NAME = "vault-ca"


class AuthorityArgs(Args):
    """``secret``: the Secret in ``namespace`` that holds ``ca.crt``; ``reader_namespace``: where the ConfigMap goes."""

    namespace: str
    secret: str
    reader_namespace: str


class Authority(pulumi.ComponentResource):
    """``config_map``: its name, once it is there."""

    config_map: pulumi.Output[str]

    def __init__(self, name: str, args: AuthorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:Authority", name, None, opts)
        place = f"{args.namespace}/{args.secret}"
        # Its key comes with it: all of what is read is kept encrypted.
        held = Secret.get(
            f"{NAME}-source", place, opts=child_of(self, additional_secret_outputs=["data", "string_data"])
        )
        copy = ConfigMap(
            NAME,
            metadata={"name": NAME, "namespace": args.reader_namespace, "labels": workloads.labels("vault")},
            data={"ca.crt": pulumi.Output.unsecret(held.data).apply(lambda data: _certificate(data, place))},
            opts=child_of(self),
        )
        self.config_map = copy.id.apply(lambda _: NAME)
        self.register_outputs({})


def _certificate(data: Mapping[str, str] | None, place: str) -> str:
    encoded = (data or {}).get("ca.crt")
    if not encoded:
        raise PlatformError(
            f"Pulumi.{pulumi.get_stack()}.yaml: secrets:vault.tlsSecret: Secret {place} has no ca.crt, with which "
            "the operator would know Vault; cert-manager's have one."
        )
    return base64.b64decode(encoded).decode()
