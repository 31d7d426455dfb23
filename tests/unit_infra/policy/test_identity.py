"""Grants of everything, on everything or to everybody are refused, in each provider's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.subjects import a_resource
from taskservice_infra.policy.identity import wildcard_grant
from taskservice_infra.policy.model import UNKNOWN

READ_ONE = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::logs/*"]}


def a_policy(statement: dict[str, Any], token: str = "aws:iam/rolePolicy:RolePolicy") -> Any:
    return a_resource(token, policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_a_policy_that_names_actions_and_resources_is_let_pass() -> None:
    assert list(wildcard_grant(a_policy(READ_ONE))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Action": "*"}, "allows *"),
        ({"Action": ["s3:*"]}, "allows s3:*"),
        ({"Action": ["s3:PutObject"], "Resource": "*"}, "on every resource"),
        ({"Principal": "*"}, "every account"),
        ({"Principal": {"AWS": "*"}}, "every account"),
        ({"Action": [], "NotAction": ["iam:CreateUser"]}, "NotAction"),
    ],
)
def test_a_wildcard_in_a_policy_is_refused(change: dict[str, Any], said: str) -> None:
    found = list(wildcard_grant(a_policy({**READ_ONE, **change})))
    assert any(said in sentence for sentence in found)


def test_a_trust_policy_and_inline_policies_are_looked_at() -> None:
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
    }
    all_rights = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    assert list(wildcard_grant(a_resource("aws:iam/role:Role", assumeRolePolicy=json.dumps(open_to_all)))) != []
    inline = [
        {"name": "first", "policy": json.dumps({"Statement": [READ_ONE]})},
        {"name": "second", "policy": all_rights},
    ]
    assert list(wildcard_grant(a_resource("aws:iam/role:Role", inlinePolicies=inline))) != []


def test_reading_everything_a_condition_and_a_denial_are_let_pass() -> None:
    for statement in (
        {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "autoscaling:DescribeTags"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["autoscaling:SetDesiredCapacity"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/owner": "us"}},
        },
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    ):
        assert list(wildcard_grant(a_policy(statement))) == []


def test_a_keys_own_policy_may_say_every_resource_for_that_is_itself() -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::1:root"},
    }
    assert list(wildcard_grant(a_policy(statement, "aws:kms/key:Key"))) == []
    assert list(wildcard_grant(a_policy({**statement, "Action": "kms:*"}, "aws:kms/key:Key"))) != []


def test_a_policy_of_the_whole_account_is_refused() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert list(wildcard_grant(a_resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment", policyArn=arn))) != []


def test_a_document_that_is_not_known_yet_is_not_refused() -> None:
    assert list(wildcard_grant(a_resource("aws:iam/rolePolicy:RolePolicy", policy=UNKNOWN))) == []


@pytest.mark.parametrize(
    "grant", [{"role": "roles/editor"}, {"member": "allUsers"}, {"members": ["allAuthenticatedUsers"]}]
)
def test_a_basic_role_and_everybody_are_refused_in_google_cloud(grant: dict[str, Any]) -> None:
    fine = {"role": "roles/artifactregistry.reader", "member": "serviceAccount:nodes@example"}
    assert list(wildcard_grant(a_resource("gcp:projects/iAMMember:IAMMember", **fine))) == []
    assert list(wildcard_grant(a_resource("gcp:projects/iAMMember:IAMMember", **{**fine, **grant}))) != []


@pytest.mark.parametrize("guid", ["8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "B24988AC-6180-42a0-ab88-20f7382dd24c"])
def test_owner_and_contributor_are_refused_in_azure(guid: str) -> None:
    token = "azure-native:authorization:RoleAssignment"
    path = f"/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{guid}"
    assert list(wildcard_grant(a_resource(token, roleDefinitionId=path))) != []
    assert list(wildcard_grant(a_resource(token, roleDefinitionId=path.replace(guid, "4d97b98b")))) == []


def test_a_custom_role_with_a_wildcard_is_refused_in_azure() -> None:
    token = "azure-native:authorization:RoleDefinition"
    assert list(wildcard_grant(a_resource(token, permissions=[{"actions": ["*"]}]))) != []
    assert list(wildcard_grant(a_resource(token, permissions=[{"actions": ["*/read"]}]))) == []


@pytest.mark.parametrize("field", ["verbs", "resources", "apiGroups"])
def test_a_wildcard_in_a_cluster_role_is_refused(field: str) -> None:
    rule = {"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}
    token = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
    assert list(wildcard_grant(a_resource(token, rules=[rule]))) == []
    assert list(wildcard_grant(a_resource(token, rules=[{**rule, field: ["*"]}]))) != []


def test_cluster_admin_and_bindings_for_everybody_are_refused() -> None:
    token = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
    fine = {"roleRef": {"name": "operator"}, "subjects": [{"kind": "ServiceAccount", "name": "operator"}]}
    assert list(wildcard_grant(a_resource(token, **fine))) == []
    assert list(wildcard_grant(a_resource(token, **{**fine, "roleRef": {"name": "cluster-admin"}}))) != []
    everybody = [{"kind": "Group", "name": "system:authenticated"}]
    assert list(wildcard_grant(a_resource(token, **{**fine, "subjects": everybody}))) != []
