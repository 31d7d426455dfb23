"""The key of an EKS cluster: encrypts its Secrets in etcd, its nodes' disks, its volumes and its logs."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi_aws import kms

from taskservice_infra.components.component import Args, child_of

ADMINISTRATION = [
    "kms:CreateAlias", "kms:CreateGrant", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey", "kms:EnableKey",
    "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
    "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RetireGrant", "kms:RevokeGrant", "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
]  # fmt: skip
USE = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
]
"""What encrypting and decrypting takes."""


class EksKeyArgs(Args):
    """``service_logs``: CloudWatch may use it for logs of the account; ``node_disks``: Auto Scaling for nodes."""

    account_id: str
    region: str
    description: str
    tags: dict[str, str]
    service_logs: bool = False
    node_disks: bool = False


def key_policy(account_id: str, region: str, *, service_logs: bool, node_disks: bool) -> str:
    """Who may use the key: roles of the account by their own policies; CloudWatch and Auto Scaling where asked.

    Source: docs.aws.amazon.com, "Encrypt log data in CloudWatch Logs using KMS" and "Required KMS key policy for use
    with encrypted volumes" of EC2 Auto Scaling.
    """
    statements: list[dict[str, Any]] = [
        {
            "Sid": "AccountByItsPolicies",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
            "Action": sorted({*ADMINISTRATION, *USE}),
            "Resource": "*",
        }
    ]
    if service_logs:
        groups = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account_id}:log-group:*"}}
        statements.append(
            {
                "Sid": "LogsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": USE,
                "Resource": "*",
                "Condition": groups,
            }
        )
    if node_disks:
        scaling = (
            f"arn:aws:iam::{account_id}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        )
        statements += [
            {
                "Sid": "DisksOfNodes",
                "Effect": "Allow",
                "Principal": {"AWS": scaling},
                "Action": USE,
                "Resource": "*",
            },
            {
                "Sid": "DisksOfNodesAttached",
                "Effect": "Allow",
                "Principal": {"AWS": scaling},
                "Action": ["kms:CreateGrant"],
                "Resource": "*",
                "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
            },
        ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class EksKey(pulumi.ComponentResource):
    """``arn``, ``key_id``: of the key, which AWS replaces every year."""

    arn: pulumi.Output[str]
    key_id: pulumi.Output[str]

    def __init__(self, name: str, args: EksKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("taskservice:cluster:EksKey", name, None, opts)
        key = kms.Key(
            name,
            description=args.description,
            policy=key_policy(args.account_id, args.region, service_logs=args.service_logs, node_disks=args.node_disks),
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=args.tags,
            opts=child_of(self),
        )
        kms.Alias(name, name=f"alias/{name}", target_key_id=key.key_id, opts=child_of(self))
        self.arn = key.arn
        self.key_id = key.key_id
        self.register_outputs({"arn": self.arn, "key_id": self.key_id})
