"""So many in a window and no more, with headers that say how it stands; nothing is limited without a store."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from limits.aio.storage import MemoryStorage

from taskservice.kit.errors import NotFound
from taskservice.kit.limits import Limits, NoCounter, RateLimited, Rule, WindowCounter

pytestmark = pytest.mark.anyio

TWICE = Rule.of("twice", "2/minute")
THRICE = Rule.of("thrice", "3/minute")
ANN = {"email": "ann@example.com", "password": "correct horse"}


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    storage = MemoryStorage()
    yield storage
    await storage.reset()


@pytest.fixture
def limits(storage: MemoryStorage) -> Limits:
    return Limits(WindowCounter(storage))


async def ask(limits: Limits, *wanted: tuple[Rule, str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    async with limits.applied(headers, *wanted):
        return headers


async def test_a_limit_is_counted_down_and_then_refuses(limits: Limits) -> None:
    for left in (1, 0):
        headers = await ask(limits, (TWICE, "ann"))
        assert headers["RateLimit-Policy"] == '"twice";q=2;w=60'
        assert headers["RateLimit"].startswith(f'"twice";r={left};t=')
    with pytest.raises(RateLimited) as refused:
        await ask(limits, (TWICE, "ann"))
    assert refused.value.headers["RateLimit"].startswith('"twice";r=0;t=')
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    assert await ask(limits, (TWICE, "bob"))


async def test_all_rules_are_told_and_one_that_is_used_up_spares_those_after_it(limits: Limits) -> None:
    headers = await ask(limits, (TWICE, "1.2.3.4"), (THRICE, "ann"))
    assert headers["RateLimit-Policy"] == '"twice";q=2;w=60, "thrice";q=3;w=60'
    await ask(limits, (TWICE, "1.2.3.4"), (THRICE, "ann"))
    for _ in range(5):
        with pytest.raises(RateLimited):
            await ask(limits, (TWICE, "1.2.3.4"), (THRICE, "ann"))
    await ask(limits, (TWICE, "5.6.7.8"), (THRICE, "ann"))
    with pytest.raises(RateLimited, match="Try again"):
        await ask(limits, (TWICE, "5.6.7.8"), (THRICE, "ann"))


async def test_a_refusal_from_within_tells_how_the_limit_stands(limits: Limits) -> None:
    with pytest.raises(NotFound) as refused:
        async with limits.applied({}, (TWICE, "ann")):
            raise NotFound
    assert refused.value.headers["RateLimit"].startswith('"twice";r=1;t=')


async def test_without_a_store_nothing_is_limited() -> None:
    for _ in range(10):
        assert await ask(Limits(NoCounter()), (TWICE, "ann")) == {}


async def post(service: Any, path: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return await service.client.post(f"/v1/auth/{path}", json=body, headers=headers)


async def test_logins_of_one_account_are_limited_from_wherever_they_come(
    run_auth: Callable[..., Any], storage: MemoryStorage
) -> None:
    async with run_auth(
        lambda: WindowCounter(storage), limit_login_per_account="3/minute", trusted_proxies=("127.0.0.1/32",)
    ) as service:
        await post(service, "register", ANN)
        answers = [await post(service, "login", ANN, **{"x-forwarded-for": f"198.51.100.{n}"}) for n in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[0].headers["ratelimit"].startswith('"login-address";r=119;t=')
        assert '"login-account";r=2;t=' in answers[0].headers["ratelimit"]
        assert answers[3].json()["type"] == "urn:taskservice:problem:rate-limited"
        assert int(answers[3].headers["retry-after"]) >= 1
        assert (await post(service, "login", ANN | {"email": "bob@example.com"})).status_code == 401


@pytest.mark.parametrize(("trusted", "refused"), [(("127.0.0.1/32",), 0), ((), 3)])
async def test_an_address_counts_as_the_proxy_saw_it(
    trusted: tuple[str, ...], refused: int, run_auth: Callable[..., Any], storage: MemoryStorage
) -> None:
    """Five clients behind our proxy are five; five names that one client gives itself are one."""
    async with run_auth(
        lambda: WindowCounter(storage), limit_register_per_address="2/minute", trusted_proxies=trusted
    ) as service:
        answers = [
            await post(service, "register", ANN | {"email": f"u{n}@example.com"}, **{"x-forwarded-for": f"192.0.2.{n}"})
            for n in range(5)
        ]
    assert [answer.status_code for answer in answers].count(429) == refused


async def test_refreshes_and_changes_of_the_password_are_limited(
    run_auth: Callable[..., Any], storage: MemoryStorage
) -> None:
    async with run_auth(
        lambda: WindowCounter(storage), limit_refresh_per_address="1/minute", limit_password_per_account="1/minute"
    ) as service:
        await post(service, "register", ANN)
        pair = (await post(service, "login", ANN)).json()
        body = {"refresh_token": pair["refresh_token"]}
        assert [(await post(service, "refresh", body)).status_code for _ in range(2)] == [200, 429]
        change = {"current_password": "wrong", "new_password": "battery staple"}
        bearer = {"Authorization": f"Bearer {pair['access_token']}"}
        assert [(await post(service, "password", change, **bearer)).status_code for _ in range(2)] == [403, 429]


@pytest.mark.parametrize("text", ["often", "", "20", "-1/minute"])
def test_a_rate_that_is_none_is_refused(text: str, auth_settings: Any) -> None:
    with pytest.raises(ValueError, match="limit_login_per_account"):
        auth_settings(limit_login_per_account=text)
