"""Who may do what with a task. Pure, total, and the only place that decides it.

Roles are what a caller is to one task; a row of `ALLOWED` is a role, its set the actions. A caller may have
several, and may do what any of them may.
"""

from enum import StrEnum

from taskservice.kit.jwt import Principal

ADMIN_ROLE = "admin"
"""The role in the access token that makes its bearer an administrator."""


class Action(StrEnum):
    READ = "read"
    COMMENT = "comment"
    UPDATE = "update"
    RELEASE = "release"  # take the assignee away, without naming another one
    ASSIGN = "assign"
    DELETE = "delete"


class Role(StrEnum):
    OWNER = "owner"
    ASSIGNEE = "assignee"
    ADMIN = "admin"
    STRANGER = "stranger"


ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.ASSIGNEE: frozenset({Action.READ, Action.COMMENT, Action.UPDATE, Action.RELEASE}),
    Role.ADMIN: frozenset(Action),
    Role.STRANGER: frozenset(),
}


def roles_of(caller: Principal, created_by: str, assignee: str | None) -> frozenset[Role]:
    """What the caller is to a task with this owner and assignee; a stranger if nothing else."""
    roles = set()
    if caller.user_id == created_by:
        roles.add(Role.OWNER)
    if caller.user_id == assignee:
        roles.add(Role.ASSIGNEE)
    if ADMIN_ROLE in caller.roles:
        roles.add(Role.ADMIN)
    return frozenset(roles) or frozenset({Role.STRANGER})


def allows(caller: Principal, action: Action, created_by: str, assignee: str | None) -> bool:
    """Whether the caller may do this.

    A refusal is answered with 404 to who may not even read, so that a stranger learns nothing; else with 403.
    """
    return any(action in ALLOWED[role] for role in roles_of(caller, created_by, assignee))
