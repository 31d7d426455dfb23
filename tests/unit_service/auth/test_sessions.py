"""Sessions over HTTP: refresh, logout, logout everywhere, the password and the profile."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.anyio

ANN = {"email": "ann@example.com", "password": "correct horse"}
GRACE = timedelta(seconds=10)


async def login(service: Any, **changes: Any) -> dict[str, Any]:
    await service.client.post("/v1/auth/register", json=ANN)
    answer = await service.client.post("/v1/auth/login", json=ANN | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refresh(service: Any, pair: dict[str, Any]) -> httpx2.Response:
    return await service.client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})


async def call(service: Any, pair: dict[str, Any], method: str, path: str, **body: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    return await service.client.request(method, f"/v1/auth/{path}", headers=headers, json=body or None)


async def works(service: Any, pair: dict[str, Any]) -> tuple[bool, bool]:
    """Whether its access token and its refresh token are accepted."""
    access = (await call(service, pair, "GET", "me")).status_code == 200
    return access, (await refresh(service, pair)).status_code == 200


async def test_a_refresh_answers_a_working_pair(auth: Any) -> None:
    first = await login(auth)
    assert set(first) == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    assert first["refresh_expires_in"] == 30 * 86400
    second = (await refresh(auth, first)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert await works(auth, second) == (True, True)


async def test_twenty_uses_at_once_are_one(auth: Any) -> None:
    first = await login(auth)
    answers = await asyncio.gather(*(refresh(auth, first) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert len({answer.json()["access_token"] for answer in answers}) == 20
    assert await works(auth, answers[0].json()) == (True, True)


async def test_an_old_token_ends_the_whole_family_at_once(auth: Any) -> None:
    first = await login(auth)
    other = await login(auth)
    second = (await refresh(auth, first)).json()
    auth.clock.now += GRACE + timedelta(milliseconds=1)
    refused = await refresh(auth, first)
    assert refused.status_code == 401
    assert refused.json()["type"] == "urn:taskservice:problem:bad-refresh-token"
    assert await works(auth, first) == (False, False)
    assert await works(auth, second) == (False, False)
    assert await works(auth, other) == (True, True)


async def test_an_unknown_a_used_and_an_ended_token_are_one_answer(auth: Any) -> None:
    first = await login(auth)
    other = await login(auth)
    await call(auth, other, "POST", "logout")
    await refresh(auth, first)
    auth.clock.now += timedelta(minutes=1)
    answers = [
        await refresh(auth, pair) for pair in (first, other, {"refresh_token": "A" * 86}, {"refresh_token": "x"})
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize(("idle", "step", "lasts"), [(100, 90, 10), (100, 101, 0), (2000, 90, 10)])
async def test_a_session_ends_when_it_is_idle_and_when_it_is_old(
    idle: int, step: int, lasts: int, run_auth: Callable[..., Any]
) -> None:
    async with run_auth(session_idle_seconds=idle, session_lifetime_seconds=990) as service:
        pair = await login(service)
        for _ in range(lasts):
            service.clock.now += timedelta(seconds=step)
            answer = await refresh(service, pair)
            assert answer.status_code == 200
            pair = answer.json()
        service.clock.now += timedelta(seconds=step)
        assert (await refresh(service, pair)).status_code == 401


async def test_a_logout_ends_this_session_and_no_other(auth: Any) -> None:
    here, there = await login(auth), await login(auth)
    later = (await refresh(auth, here)).json()
    answer = await call(auth, here, "POST", "logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await works(auth, here) == (False, False)
    assert await works(auth, later) == (False, False)
    assert await works(auth, there) == (True, True)
    assert (await call(auth, here, "POST", "logout")).status_code == 401


async def test_a_logout_everywhere_ends_every_session_and_not_the_next_login(auth: Any) -> None:
    pairs = [await login(auth) for _ in range(5)]
    assert (await call(auth, pairs[2], "POST", "logout-everywhere")).status_code == 204
    for pair in pairs:
        assert await works(auth, pair) == (False, False)
    assert await works(auth, await login(auth)) == (True, True)


async def test_a_change_of_password_ends_all_other_sessions(auth: Any) -> None:
    here, there = await login(auth), await login(auth)
    body = {"current_password": ANN["password"], "new_password": "battery staple"}
    answer = await call(auth, here, "POST", "password", **body)
    assert answer.status_code == 200
    assert await works(auth, answer.json()) == (True, True)
    for pair in (here, there):
        assert await works(auth, pair) == (False, False)
    assert (await auth.client.post("/v1/auth/login", json=ANN)).status_code == 401
    assert await works(auth, await login(auth, password="battery staple")) == (True, True)


async def test_a_change_of_password_needs_the_current_one(auth: Any) -> None:
    pair = await login(auth)
    body = {"current_password": "wrong", "new_password": "battery staple"}
    answer = await call(auth, pair, "POST", "password", **body)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:taskservice:problem:wrong-password"
    assert await works(auth, await login(auth)) == (True, True)
    assert await works(auth, pair) == (True, True)


async def test_a_login_with_the_password_of_before_does_not_outlive_its_change(auth: Any) -> None:
    """The login has checked the old password when the change comes between, and would be its attacker's."""
    pair = await login(auth)
    service = auth.app.state.auth
    begin = service._tokens.begin

    async def slow_begin(user: Any) -> Any:
        service._tokens.begin = begin
        body = {"current_password": ANN["password"], "new_password": "battery staple"}
        assert (await call(auth, pair, "POST", "password", **body)).status_code == 200
        return await begin(user)

    service._tokens.begin = slow_begin
    answer = await auth.client.post("/v1/auth/login", json=ANN)
    assert answer.status_code == 401
    assert len(await service._tokens._sessions.newest(service._users._by_id.copy().popitem()[0], 10)) == 1


async def test_the_oldest_sessions_end_when_there_are_too_many(run_auth: Callable[..., Any]) -> None:
    async with run_auth(sessions_per_user=3) as service:
        pairs = []
        for _ in range(5):
            service.clock.now += timedelta(seconds=1)
            pairs.append(await login(service))
        assert [await works(service, pair) for pair in pairs] == [(False, False)] * 2 + [(True, True)] * 3


async def test_the_display_name_changes_and_goes(auth: Any) -> None:
    pair = await login(auth)
    answer = await call(auth, pair, "PATCH", "me", display_name="  Ann  ")
    assert (answer.status_code, answer.json()["display_name"]) == (200, "Ann")
    assert (await call(auth, pair, "GET", "me")).json() == answer.json()
    assert (await call(auth, pair, "PATCH", "me", display_name=None)).json()["display_name"] is None


@pytest.mark.parametrize(
    "body", [{}, {"email": "bob@example.com"}, {"display_name": "a\nb"}, {"display_name": ""}], ids=str
)
async def test_nothing_else_of_a_profile_can_be_changed(body: dict[str, Any], auth: Any) -> None:
    pair = await login(auth)
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    assert (await auth.client.patch("/v1/auth/me", headers=headers, json=body)).status_code == 422


async def test_a_login_improves_a_hash_of_weaker_parameters(run_auth: Callable[..., Any]) -> None:
    async with run_auth() as service:
        await login(service)
        accounts = service.app.state.auth
        (user,) = accounts._users._by_id.values()
        weak = await accounts._passwords.hash(ANN["password"])
        async with run_auth(argon2_time_cost=3) as stronger:
            accounts._passwords = stronger.app.state.auth._passwords
            await login(service, password="correct horse")
        (improved,) = accounts._users._by_id.values()
        assert ",t=1," in user.password_hash
        assert ",t=1," in weak
        assert ",t=3," in improved.password_hash
        assert await works(service, await login(service)) == (True, True)
