"""Who may call as a service."""

import pytest
from pydantic import SecretStr

from taskservice.kit.service_token import NotAService, ServiceToken, header

NEW, OLD = SecretStr("n" * 32), SecretStr("o" * 32)


def test_the_current_token_and_the_one_before_are_accepted() -> None:
    token = ServiceToken([NEW, OLD])
    assert token.accepts(header(NEW))
    assert token.accepts(header(OLD))
    token.require(header(NEW))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "n" * 32,
        f"bearer {'n' * 32}",
        f"Bearer {'n' * 31}",
        f"Bearer {'n' * 33}",
        "Bearer é",
    ],
)
def test_nothing_else_is(given: str | None) -> None:
    token = ServiceToken([NEW])
    assert not token.accepts(given)
    with pytest.raises(NotAService):
        token.require(given)


def test_without_a_token_nobody_is_accepted() -> None:
    assert not ServiceToken([]).accepts("Bearer ")
