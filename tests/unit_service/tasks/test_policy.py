"""The whole matrix, written out: a new role or action must add its rows here."""

import pytest

from taskservice.tasks.policy import Action, Role, allows, role_of

MATRIX = {
    (Role.OWNER, Action.READ): True,
    (Role.OWNER, Action.UPDATE): True,
    (Role.OWNER, Action.DELETE): True,
    (Role.STRANGER, Action.READ): False,
    (Role.STRANGER, Action.UPDATE): False,
    (Role.STRANGER, Action.DELETE): False,
}
USERS = {Role.OWNER: "ann", Role.STRANGER: "bob"}


def test_the_matrix_is_whole() -> None:
    assert set(MATRIX) == {(role, action) for role in Role for action in Action}


@pytest.mark.parametrize(("role", "action"), MATRIX, ids=str)
def test_each_cell(role: Role, action: Action) -> None:
    assert role_of(USERS[role], "ann") is role
    assert allows(USERS[role], action, "ann") is MATRIX[role, action]


@pytest.mark.parametrize("user", ["", "Ann", "ann ", "an"])
def test_only_the_very_owner_is_the_owner(user: str) -> None:
    assert role_of(user, "ann") is Role.STRANGER
