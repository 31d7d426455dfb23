"""Who may do what with a task. Pure, total, and the only place that decides it.

Roles are relations between a caller and one task; a row of `ALLOWED` is a role, a column an action.
"""

from enum import StrEnum


class Action(StrEnum):
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"


class Role(StrEnum):
    OWNER = "owner"
    STRANGER = "stranger"


ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OWNER: frozenset(Action),
    Role.STRANGER: frozenset(),
}


def role_of(user_id: str, created_by: str) -> Role:
    """What the user is to a task that was created by `created_by`."""
    return Role.OWNER if user_id == created_by else Role.STRANGER


def allows(user_id: str, action: Action, created_by: str) -> bool:
    """Whether the user may do this. Callers answer a refusal with 404: a stranger learns nothing."""
    return action in ALLOWED[role_of(user_id, created_by)]
