"""A role in AWS for the pods of one ServiceAccount, by EKS Pod Identity: no key is stored anywhere."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi_aws import eks, iam

from taskservice_infra.components.component import Args, child_of
from taskservice_infra.config.cloud import ServiceAccount


class EksPodRoleArgs(Args):
    """``managed``: ARNs of AWS's policies; ``statements``: of a policy of its own.  ``account_id``: the cluster's."""

    cluster_name: pulumi.Output[str]
    account_id: str
    service_account: ServiceAccount
    managed: tuple[str, ...] = ()
    statements: list[dict[str, Any]] | pulumi.Output[list[dict[str, Any]]] | None = None
    tags: dict[str, str]


def trust(account_id: str) -> str:
    """Who may take the role: the agent of Pod Identity, for clusters of this account."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "pods.eks.amazonaws.com"},
                    "Action": ["sts:AssumeRole", "sts:TagSession"],
                    "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
                }
            ],
        }
    )


class EksPodRole(pulumi.ComponentResource):
    """``arn``: of the role; ``association``: what ties it to the ServiceAccount."""

    arn: pulumi.Output[str]
    association: eks.PodIdentityAssociation

    def __init__(self, name: str, args: EksPodRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:EksPodRole", name, None, opts)
        role = iam.Role(
            name,
            description=f"Pods of {args.service_account.namespace}/{args.service_account.name}",
            assume_role_policy=trust(args.account_id),
            tags=args.tags,
            opts=child_of(self),
        )
        for policy in args.managed:
            iam.RolePolicyAttachment(
                f"{name}-{policy.rsplit('/', 1)[-1]}", role=role.name, policy_arn=policy, opts=child_of(self)
            )
        if args.statements is not None:
            iam.RolePolicy(
                name,
                role=role.id,
                policy=pulumi.Output.from_input(args.statements).apply(
                    lambda statements: json.dumps({"Version": "2012-10-17", "Statement": statements})
                ),
                opts=child_of(self),
            )
        self.arn = role.arn
        self.association = eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster_name,
            namespace=args.service_account.namespace,
            service_account=args.service_account.name,
            role_arn=role.arn,
            tags=args.tags,
            opts=child_of(self),
        )
        self.register_outputs({"arn": self.arn})
