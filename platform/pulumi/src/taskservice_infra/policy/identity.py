"""Who may do what: no wildcard in a grant, no grant to everybody, no role that is a whole account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from taskservice_infra.policy.model import UNKNOWN, Resource, entries

AWS_DOCUMENTS = (
    "policy",
    "assumeRolePolicy",
    "accessPolicy",
)
#: Verbs that only read: AWS lets most of them name no resource, so ``Resource: "*"`` is the only way to write them.
AWS_READING = ("Describe", "Get", "List", "BatchGet", "Lookup")
#: Actions on the caller's own session or on registries as a whole, for which AWS defines no resource either.
AWS_UNSCOPED = frozenset({"ecr:GetAuthorizationToken", "sts:GetCallerIdentity"})
AWS_FULL_ACCESS = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")

GCP_BASIC_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
GCP_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})

#: Azure's built-in roles by their published identifiers.
AZURE_BROAD_ROLES = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
}

KUBERNETES_EVERYBODY = frozenset({"system:anonymous", "system:unauthenticated", "system:authenticated"})


def wildcard_grant(resource: Resource) -> Iterator[str]:
    """Refuse grants of everything, on everything, or to everybody, in each provider's own way of writing them."""
    if resource.package == "aws":
        yield from _aws(resource)
    elif resource.package == "gcp":
        yield from _gcp(resource)
    elif resource.package == "azure-native":
        yield from _azure(resource)
    elif resource.package == "kubernetes":
        yield from _kubernetes(resource)


def _aws(resource: Resource) -> Iterator[str]:
    # A key's policy is about that key alone: AWS writes it as "*" there.
    own = resource.type == "aws:kms/key:Key"
    for document in (*AWS_DOCUMENTS, *(f"inlinePolicies.{index}.policy" for index in range(10))):
        for statement in _statements(_indexed(resource.properties, document)):
            yield from _aws_statement(statement, document, own)
    for arn in (*entries(resource.at("managedPolicyArns")), resource.at("policyArn")):
        if isinstance(arn, str) and arn.rsplit("/", 1)[-1] in AWS_FULL_ACCESS:
            yield f"{arn} is the whole account; attach a policy that names the actions and resources needed"


def _indexed(node: Any, path: str) -> Any:
    for step in path.split("."):
        if step.isdigit():
            listed = entries(node)
            node = listed[int(step)] if int(step) < len(listed) else None
        else:
            node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _statements(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return
    if isinstance(document, Mapping):
        for statement in entries(document.get("Statement")):
            if isinstance(statement, Mapping) and statement.get("Effect") == "Allow":
                yield statement


def _aws_statement(statement: Mapping[str, Any], document: str, own: bool) -> Iterator[str]:
    name = statement.get("Sid", "a statement")
    actions = [action for action in entries(statement.get("Action")) if isinstance(action, str)]
    if "NotAction" in statement:
        yield f"{document}: {name} allows all but NotAction; name the actions"
    for action in actions:
        if action == "*" or action.endswith(":*"):
            yield f"{document}: {name} allows {action}; name the actions"
    conditional = bool(statement.get("Condition"))
    if "*" in entries(statement.get("Resource")) and not own and not conditional:
        changing = [action for action in actions if not _reads(action)]
        if changing:
            yield f"{document}: {name} allows {', '.join(changing)} on every resource; name them, or add a Condition"
    principal = statement.get("Principal")
    people = entries(principal.get("AWS")) if isinstance(principal, Mapping) else entries(principal)
    if "*" in people and not conditional:
        yield f"{document}: {name} is open to every account; name the principals"


def _reads(action: str) -> bool:
    return action in AWS_UNSCOPED or action.rpartition(":")[2].startswith(AWS_READING)


def _gcp(resource: Resource) -> Iterator[str]:
    role = resource.at("role")
    if isinstance(role, str) and role in GCP_BASIC_ROLES:
        yield f"{role} is a basic role over the whole project; grant a predefined or custom role"
    for member in (resource.at("member"), *entries(resource.at("members"))):
        if member in GCP_EVERYBODY:
            yield f"{member} is everybody; name a service account, user or group"
    for permission in entries(resource.at("permissions")):
        if isinstance(permission, str) and "*" in permission:
            yield f"permission {permission} is a wildcard; name the permissions"


def _azure(resource: Resource) -> Iterator[str]:
    if resource.type == "azure-native:authorization:RoleAssignment":
        role = resource.at("roleDefinitionId")
        broad = AZURE_BROAD_ROLES.get(role.rsplit("/", 1)[-1].lower()) if isinstance(role, str) else None
        if broad:
            yield f"role {broad} may change anything in its scope; assign the role that covers the one task"
    if resource.type == "azure-native:authorization:RoleDefinition":
        for permission in entries(resource.at("permissions")):
            for action in entries(permission.get("actions")) if isinstance(permission, Mapping) else ():
                if isinstance(action, str) and action.split("/", 1)[0] == "*" and not action.endswith("/read"):
                    yield f"action {action} is a wildcard; name the actions"


def _kubernetes(resource: Resource) -> Iterator[str]:
    if resource.kind in {"ClusterRole", "Role"}:
        for number, rule in enumerate(entries(resource.at("rules")), start=1):
            if not isinstance(rule, Mapping):
                continue
            wild = [field for field in ("verbs", "resources", "apiGroups") if "*" in entries(rule.get(field))]
            if wild:
                yield f'rule {number} has "*" in {", ".join(wild)}; name them'
    if resource.kind in {"ClusterRoleBinding", "RoleBinding"}:
        if resource.at("roleRef.name") == "cluster-admin":
            yield "binds cluster-admin; bind a role that names what is needed"
        for subject in entries(resource.at("subjects")):
            name = subject.get("name") if isinstance(subject, Mapping) else UNKNOWN
            if name in KUBERNETES_EVERYBODY:
                yield f"binds a role to {name}; name the ServiceAccounts"
