"""What the sample's services need, put into Vault: addresses of the data services, signing keys, shared tokens.

Addresses come from project ``data``; a Secret hands them to the bootstrap, which writes them to each service's path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from taskservice_infra.components import workloads
from taskservice_infra.components.component import Args, child_of
from taskservice_infra.components.secrets.bootstrap import Bootstrap, BootstrapArgs
from taskservice_infra.components.secrets.desired import NAMESPACE, desired
from taskservice_infra.components.secrets.keeper import VaultEndpoint
from taskservice_infra.errors import PlatformError

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

    ``services``: all that have a role in Vault, as [namespace, ServiceAccount].
    """

    namespace: str
    services_namespace: str
    image: str | pulumi.Output[str]
    endpoint: VaultEndpoint | pulumi.Output[VaultEndpoint]
    services: list[list[str]] | pulumi.Output[list[list[str]]]
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
                desired=pulumi.Output.from_input(args.services).apply(
                    lambda known: described(known, args.services_namespace, args.addresses)
                ),
                inputs=(NAME,),
                inputs_version=_version(args.addresses),
                after=[inputs],
            ),
            child_of(self),
        )
        self.done = bootstrap.done
        self.register_outputs({})


def described(services: list[list[str]], namespace: str, addresses: Container[str]) -> dict[str, Any]:
    """All of what Vault should hold: the bootstrap takes away the access of services that it is not told of.

    ``namespace``: the sample's; ``addresses``: the variables that there are addresses for.
    Raises PlatformError when a service of the sample has no role.
    """
    accounts = [(place, account) for place, account in services]
    lacking = [name for name in TAKEN if (namespace, name) not in accounts]
    if lacking:
        raise PlatformError(
            f"Pulumi.{pulumi.get_stack()}.yaml: secrets:services: lacks the ServiceAccounts {', '.join(lacking)} of "
            f"namespace {namespace}, with which the sample reads from Vault (apps:vault)."
        )
    fields = {
        f"taskservices/{namespace}/{service}": {
            variable: {"kind": "text", "text": f"${{secret:{NAMESPACE}/{NAME}#{variable}}}"}
            for variable in variables
            if variable in addresses
        }
        for service, variables in TAKEN.items()
    }
    # The device of the audit is there since project secrets is up.
    return desired(accounts, fields, audit=False)


def _version(addresses: dict[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Changes with the addresses. They hold passwords of 128 bits: nobody finds one from twelve digits of a hash."""

    def hashed(known: dict[str, str]) -> str:
        return hashlib.sha256("\n".join(f"{name}={known[name]}" for name in sorted(known)).encode()).hexdigest()[:12]

    return pulumi.Output.unsecret(pulumi.Output.all(**addresses).apply(hashed))
