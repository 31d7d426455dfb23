"""What the sample's services need, put into Vault: addresses of the data services, signing keys, shared tokens.

Addresses come from project ``data``; a Secret hands them to the bootstrap, which writes them to each service's path.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets.bootstrap import Bootstrap, BootstrapArgs
from taskservice_infra.components.secrets.desired import desired
from taskservice_infra.components.secrets.keeper import VaultEndpoint

NAME = "service-secrets"
MONGO, REDIS, BUS = "TASKSERVICE_MONGO_URL", "TASKSERVICE_REDIS_URL", "TASKSERVICE_BUS_URL"
TAKEN = {
    "auth": (MONGO, REDIS),
    "tasks": (MONGO, REDIS),
    "worker": (MONGO, REDIS, BUS),
}
"""Which of the addresses each service of the sample reads."""


class ServiceSecretsArgs(Args):
    """``addresses``: by the variable that the services read them from, secret; ``services_namespace``: where they run.

    ``services``: all that have a role in Vault, as (namespace, ServiceAccount).
    """

    namespace: str
    services_namespace: str
    image: str | pulumi.Output[str]
    endpoint: VaultEndpoint
    services: tuple[tuple[str, str], ...]
    addresses: dict[str, pulumi.Output[str]]


class ServiceSecrets(pulumi.ComponentResource):
    """``done``: once the values are in Vault."""

    done: pulumi.Resource

    def __init__(self, name: str, args: ServiceSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:secrets:ServiceSecrets", name, None, opts)
        inputs = Secret(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace, "labels": workloads.labels(NAME)},
            string_data=dict(args.addresses),
            opts=child_of(self),
        )
        bootstrap = Bootstrap(
            NAME,
            BootstrapArgs(
                namespace=args.namespace,
                name=NAME,
                image=args.image,
                endpoint=args.endpoint,
                desired=desired(args.services, _addresses(args)),
                inputs=(NAME,),
                inputs_version=_version(args.addresses),
                after=[inputs],
            ),
            child_of(self),
        )
        self.done = bootstrap.done
        self.register_outputs({})


def _addresses(args: ServiceSecretsArgs) -> dict[str, dict[str, Any]]:
    """The fields of each path that quote an address."""
    return {
        f"taskservices/{args.services_namespace}/{service}": {
            variable: {"kind": "text", "text": f"${{secret:{args.namespace}/{NAME}#{variable}}}"}
            for variable in variables
            if variable in args.addresses
        }
        for service, variables in TAKEN.items()
    }


def _version(addresses: dict[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Changes with the addresses. They hold passwords of 128 bits: nobody finds one from twelve digits of a hash."""

    def hashed(known: dict[str, str]) -> str:
        return hashlib.sha256("\n".join(f"{name}={known[name]}" for name in sorted(known)).encode()).hexdigest()[:12]

    return pulumi.Output.unsecret(pulumi.Output.all(**addresses).apply(hashed))
