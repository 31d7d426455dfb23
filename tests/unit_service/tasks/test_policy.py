"""The whole matrix, written out: a new role or action must add its rows here."""

import pytest

from taskservice.kit.jwt import Principal
from taskservice.tasks.policy import Action, Role, allows, roles_of

YES, NO = True, False
ROLES = (Role.OWNER, Role.ASSIGNEE, Role.ADMIN, Role.STRANGER)
MATRIX = {
    # ............. owner assignee admin stranger
    Action.READ: (YES, YES, YES, NO),
    Action.COMMENT: (YES, YES, YES, NO),
    Action.UPDATE: (YES, YES, YES, NO),
    Action.RELEASE: (YES, YES, YES, NO),
    Action.ASSIGN: (YES, NO, YES, NO),
    Action.DELETE: (YES, NO, YES, NO),
}
CALLERS = {
    Role.OWNER: Principal("ann", "t"),
    Role.ASSIGNEE: Principal("bob", "t"),
    Role.ADMIN: Principal("eve", "t", frozenset({"admin"})),
    Role.STRANGER: Principal("carl", "t"),
}


def test_the_matrix_is_whole() -> None:
    assert set(MATRIX) == set(Action)
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", MATRIX)
def test_each_cell(role: Role, action: Action) -> None:
    caller = CALLERS[role]
    assert roles_of(caller, "ann", "bob") == {role}
    assert allows(caller, action, "ann", "bob") is MATRIX[action][ROLES.index(role)]


@pytest.mark.parametrize("user", ["", "Ann", "ann ", "an"])
@pytest.mark.parametrize("assignee", [None, "bob"])
def test_only_the_very_owner_is_the_owner(user: str, assignee: str | None) -> None:
    assert roles_of(Principal(user, "t"), "ann", assignee) == {Role.STRANGER}


@pytest.mark.parametrize("role", ["Admin", "admin ", "administrator", ""])
def test_only_the_very_role_makes_an_administrator(role: str) -> None:
    assert roles_of(Principal("carl", "t", frozenset({role})), "ann", "bob") == {Role.STRANGER}


@pytest.mark.parametrize("action", Action)
def test_who_is_several_things_may_do_what_any_of_them_may(action: Action) -> None:
    assert roles_of(Principal("ann", "t"), "ann", "ann") == {Role.OWNER, Role.ASSIGNEE}
    assert allows(Principal("ann", "t"), action, "ann", "ann")
    assert allows(Principal("bob", "t", frozenset({"admin", "other"})), action, "ann", "bob")
