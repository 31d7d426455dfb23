"""Auth over HTTP: accounts, tokens, the published keys."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import jwt as pyjwt
import pytest

from taskservice.kit.jwt import parse_key_set

pytestmark = pytest.mark.anyio

ANN = {"email": "Ann@Example.com", "password": "correct horse"}


async def register(service: Any, **changes: Any) -> httpx2.Response:
    return await service.client.post("/v1/auth/register", json=ANN | changes)


async def login(service: Any, **changes: Any) -> httpx2.Response:
    return await service.client.post("/v1/auth/login", json=ANN | changes)


async def test_register_answers_the_profile_without_the_password(auth: Any) -> None:
    response = await register(auth, display_name="  Ann  ")
    assert response.status_code == 201
    profile = response.json()
    assert set(profile) == {"id", "email", "display_name", "created_at"}
    assert (profile["email"], profile["display_name"]) == ("ann@example.com", "Ann")
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("email", ["Ann@Example.com", "ANN@EXAMPLE.COM ", "\uff21nn@example.com"])
async def test_an_address_is_taken_in_every_spelling(email: str, auth: Any) -> None:
    await register(auth)
    response = await register(auth, email=email)
    assert response.status_code == 409
    assert response.json()["type"] == "urn:taskservice:problem:email-taken"


async def test_login_answers_a_token_that_the_key_set_verifies(auth: Any) -> None:
    profile = (await register(auth)).json()
    response = await login(auth)
    assert response.status_code == 200
    body = response.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    key_set = await auth.client.get("/.well-known/jwks.json")
    assert key_set.headers["cache-control"] == "public, max-age=60"
    ((kid, key),) = parse_key_set(key_set.json()).items()
    assert all("d" not in jwk for jwk in key_set.json()["keys"])
    assert pyjwt.get_unverified_header(body["access_token"])["kid"] == kid
    claims = pyjwt.decode(body["access_token"], key, ["EdDSA"], audience="taskservice", issuer="taskservice-auth")
    assert claims["sub"] == profile["id"]
    assert claims["exp"] - claims["iat"] == 600


async def test_wrong_password_and_unknown_address_are_one_answer(auth: Any) -> None:
    await register(auth)
    wrong = await login(auth, password="wrong")
    unknown = await login(auth, email="bob@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_me_needs_a_valid_token(auth: Any) -> None:
    profile = (await register(auth)).json()
    token = (await login(auth)).json()["access_token"]
    response = await auth.client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert response.json() == profile
    for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {token}"}):
        response = await auth.client.get("/v1/auth/me", headers=header)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_expired_token_is_refused(auth: Any) -> None:
    await register(auth)
    auth.clock.now -= timedelta(seconds=620)
    token = (await login(auth)).json()["access_token"]
    response = await auth.client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "no at"},
        {"email": "a@b"},
        {"email": "a@b..c"},
        {"email": "a@" + "b" * 300 + ".c"},
        {"email": {"$ne": None}},
        {"email": "a\x00@b.c"},
        {"password": "short"},
        {"password": "x" * 257},
        {"password": {"$gt": ""}},
        {"display_name": ""},
        {"display_name": "a\nb"},
        {"role": "admin"},
    ],
    ids=str,
)
async def test_invalid_registrations_name_the_field_and_not_the_value(changes: dict[str, Any], auth: Any) -> None:
    response = await register(auth, **changes)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (name,) = changes
    assert response.json()["errors"][0]["field"].startswith(f"body.{name}")
    assert "input" not in response.json()["errors"][0]


async def test_half_a_surrogate_is_refused_everywhere(auth: Any) -> None:
    for name in ("email", "password", "display_name"):
        body = f'{{"email":"a@b.c","password":"12345678","{name}":"\\ud800aaaaaaaaa"}}'
        response = await auth.client.post(
            "/v1/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 422, name


async def test_a_changed_profile_is_forgotten_by_the_cache_of_cards(run_auth: Callable[..., Any]) -> None:
    class Cards:
        def __init__(self) -> None:
            self.forgotten: list[str] = []

        async def forget(self, user_id: str) -> None:
            self.forgotten.append(user_id)

    cards = Cards()
    async with run_auth(cards=cards) as auth:
        user = (await register(auth)).json()
        headers = {"Authorization": f"Bearer {(await login(auth)).json()['access_token']}"}
        assert cards.forgotten == []
        changed = await auth.client.patch("/v1/auth/me", json={"display_name": "Anna"}, headers=headers)
        assert changed.status_code == 200
        assert cards.forgotten == [user["id"]]


async def test_more_logins_than_can_wait_are_told_to_come_back(run_auth: Callable[..., Any]) -> None:
    async with run_auth(password_workers=1, password_queue=2, argon2_memory_kib=16384) as service:
        answers = await asyncio.gather(*(login(service) for _ in range(20)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {401, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "2"


async def test_documentation_is_off_unless_asked_for(auth: Any, run_auth: Callable[..., Any]) -> None:
    for path in ("/docs", "/openapi.json"):
        assert (await auth.client.get(path)).status_code == 404
    async with run_auth(docs=True) as service:
        document = (await service.client.get("/openapi.json")).json()
    assert document["paths"]["/v1/auth/login"]["post"]["operationId"] == "login"


async def test_probes_and_metrics_are_not_on_the_app_port(auth: Any) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await auth.client.get(path)).status_code == 404
