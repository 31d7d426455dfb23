"""Guessing costs twice as much each time, known address or not; a right password costs nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from taskservice.auth.lockout import Lockout, MemoryFailures

pytestmark = pytest.mark.anyio

ANN = {"email": "ann@example.com", "password": "correct horse"}
SECOND = timedelta(seconds=1)


async def login(service: Any, **changes: Any) -> httpx2.Response:
    return await service.client.post("/v1/auth/login", json=ANN | changes)


def test_the_delay_doubles_from_base_to_cap() -> None:
    lockout = Lockout(MemoryFailures(), free=3, base=SECOND, cap=60 * SECOND, now=lambda: datetime.now(UTC))
    seconds = [lockout.delay(count).total_seconds() for count in range(12)]
    assert seconds == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert lockout.delay(10**9) == 60 * SECOND


@pytest.fixture
def guarded(run_auth: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: run_auth(lockout_free_failures=3, lockout_base_seconds=2, lockout_cap_seconds=5)


@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
async def test_failures_lock_an_address_known_or_not(email: str, guarded: Callable[[], Any]) -> None:
    waits = []
    async with guarded() as service:
        await service.client.post("/v1/auth/register", json=ANN)
        for _ in range(3):
            assert (await login(service, email=email, password="wrong")).status_code == 401
        for _ in range(4):
            assert (await login(service, email=email, password="wrong")).status_code == 401
            refused = await login(service, email=email, password="wrong")
            assert refused.status_code == 429
            assert refused.json()["type"] == "urn:taskservice:problem:too-many-failures"
            waits.append(int(refused.headers["retry-after"]))
            service.clock.now += timedelta(seconds=waits[-1])
    assert waits == [2, 4, 5, 5]


async def test_while_it_is_locked_the_right_password_is_not_looked_at(guarded: Callable[[], Any]) -> None:
    async with guarded() as service:
        await service.client.post("/v1/auth/register", json=ANN)
        for _ in range(4):
            await login(service, password="wrong")
        assert (await login(service)).status_code == 429
        assert (await login(service, email="ANN@example.com ")).status_code == 429
        assert (await login(service, email="bob@example.com")).status_code == 401
        service.clock.now += 2 * SECOND
        assert (await login(service)).status_code == 200


async def test_a_success_forgets_the_failures(guarded: Callable[[], Any]) -> None:
    async with guarded() as service:
        await service.client.post("/v1/auth/register", json=ANN)
        for _ in range(5):
            for _ in range(3):
                assert (await login(service, password="wrong")).status_code == 401
            assert (await login(service)).status_code == 200


async def test_the_change_of_a_password_is_no_way_around(guarded: Callable[[], Any]) -> None:
    async with guarded() as service:
        await service.client.post("/v1/auth/register", json=ANN)
        token = (await login(service)).json()["access_token"]
        statuses = []
        for _ in range(5):
            answer = await service.client.post(
                "/v1/auth/password",
                headers={"Authorization": f"Bearer {token}"},
                json={"current_password": "guess", "new_password": "battery staple"},
            )
            statuses.append(answer.status_code)
        assert statuses == [403, 403, 403, 403, 429]
        assert (await login(service)).status_code == 429
