"""An identity in Azure and what it may do; for a ServiceAccount's pods by federation, without a stored secret."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import authorization, managedidentity

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import ServiceAccount

ROLES = {
    "Key Vault Crypto User": "12338af0-0e69-4776-bea7-57ae8d297424",
    "Key Vault Contributor": "f25e0fa2-a7c8-4377-a976-54943a77a395",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
}
"""Azure's built-in roles by their published identifiers; each assigned to one resource, never to the subscription."""


class AksIdentityArgs(Args):
    """``rights``: role and the resource it is for, by a short name of each; ``issuer``: the cluster's, of tokens."""

    group: pulumi.Output[str]
    location: str
    subscription_id: str
    rights: dict[str, tuple[str, pulumi.Output[str]]]
    service_account: ServiceAccount | None = None
    issuer: pulumi.Output[str] | None = None
    tags: dict[str, str]


class AksIdentity(pulumi.ComponentResource):
    """``grants``: must exist before what needs them."""

    identity_id: pulumi.Output[str]
    client_id: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    grants: list[pulumi.Resource]

    def __init__(self, name: str, args: AksIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:AksIdentity", name, None, opts)
        identity = managedidentity.UserAssignedIdentity(
            name, resource_group_name=args.group, location=args.location, tags=args.tags, opts=child_of(self)
        )
        definitions = f"/subscriptions/{args.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
        self.grants = [
            authorization.RoleAssignment(
                f"{name}-{purpose}",
                principal_id=identity.principal_id,
                # An identity that was made just now may not be known everywhere yet; its type saves the look-up.
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                role_definition_id=f"{definitions}/{ROLES[role]}",
                scope=scope,
                opts=child_of(self),
            )
            for purpose, (role, scope) in args.rights.items()
        ]
        if args.service_account is not None and args.issuer is not None:
            managedidentity.FederatedIdentityCredential(
                name,
                resource_group_name=args.group,
                resource_name_=identity.name,
                issuer=args.issuer,
                subject=f"system:serviceaccount:{args.service_account.namespace}:{args.service_account.name}",
                audiences=["api://AzureADTokenExchange"],
                opts=child_of(self),
            )
        self.identity_id, self.client_id, self.principal_id = identity.id, identity.client_id, identity.principal_id
        self.register_outputs({"client_id": self.client_id})
