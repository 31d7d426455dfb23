"""Hashes are Argon2id, and an unknown user costs what a known one does."""

import asyncio
import time
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from taskservice.auth.passwords import Argon2Passwords
from taskservice.kit.settings import AuthSettings

pytestmark = pytest.mark.anyio


async def test_a_hash_verifies_only_its_password(auth_settings: Callable[..., AuthSettings]) -> None:
    passwords = Argon2Passwords(auth_settings())
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert hashed != await passwords.hash("correct horse")
    assert await passwords.verify("correct horse", hashed) == (True, None)
    assert await passwords.verify("correct horsf", hashed) == (False, None)


async def test_a_hash_with_other_parameters_is_improved_by_the_right_password_only(
    auth_settings: Callable[..., AuthSettings],
) -> None:
    old = await Argon2Passwords(auth_settings()).hash("correct horse")
    passwords = Argon2Passwords(auth_settings(argon2_time_cost=2))
    assert await passwords.verify("wrong", old) == (False, None)
    right, improved = await passwords.verify("correct horse", old)
    assert right
    assert improved is not None
    assert ",t=2," in improved
    assert await passwords.verify("correct horse", improved) == (True, None)


async def test_an_unknown_user_is_never_right(auth_settings: Callable[..., AuthSettings]) -> None:
    passwords = Argon2Passwords(auth_settings())
    assert await passwords.verify("an account that does not exist", None) == (False, None)


async def test_an_unknown_user_takes_as_long_as_a_known_one(
    auth_settings: Callable[..., AuthSettings],
) -> None:
    passwords = Argon2Passwords(auth_settings(argon2_memory_kib=19456, argon2_time_cost=2))
    hashed = await passwords.hash("x")

    async def cost(stored: str | None) -> float:
        best = float("inf")
        for _ in range(5):
            start = time.process_time()
            await passwords.verify("y", stored)
            best = min(best, time.process_time() - start)
        return best

    known, unknown = await cost(hashed), await cost(None)
    assert 0.4 < unknown / known < 2.5


async def test_the_queue_is_shown_while_it_is_there(auth_settings: Callable[..., AuthSettings]) -> None:
    passwords = Argon2Passwords(auth_settings(password_workers=2, password_queue=3, argon2_memory_kib=19456))
    registry = CollectorRegistry()
    passwords.show(registry)

    def shown(name: str = "taskservice_password_hashes") -> tuple[float | None, float | None]:
        values = [registry.get_sample_value(name, {"state": state}) for state in ("running", "waiting")]
        return values[0], values[1]

    assert shown("taskservice_password_hashes_max") == (2, 3)
    assert shown() == (0, 0)
    hashing = [asyncio.create_task(passwords.hash("x")) for _ in range(5)]
    seen: list[tuple[float | None, float | None]] = []
    while not all(task.done() for task in hashing):
        await asyncio.sleep(0)
        seen.append(shown())
    assert (2, 3) in seen
    assert shown() == (0, 0)
