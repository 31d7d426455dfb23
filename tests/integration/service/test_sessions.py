"""Sessions over real processes: two of auth and one of tasks, a real database, and a Redis that is killed.

What one process ends, every process refuses from the moment of the answer on.
"""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskservice.kit.jwt import SigningKey
from testkit.mongod import PartUnavailable, ReplicaSet
from testkit.redis_server import RedisServer
from testkit.service_process import Process

pytestmark = pytest.mark.anyio

PASSWORD = "correct-horse-battery"
GRACE_SECONDS = 20
people = count()


@dataclass
class Fleet:
    """Two processes of auth, on one driver each, and one of tasks."""

    one: Process
    two: Process
    tasks: Process
    redis: RedisServer

    def account(self) -> dict[str, str]:
        """A fresh one."""
        body = {"email": f"user{next(people)}@example.com", "password": PASSWORD}
        httpx2.post(f"{self.one.url}/v1/auth/register", json=body, timeout=30).raise_for_status()
        return body

    def login(self, account: dict[str, str], auth: Process | None = None) -> dict[str, Any]:
        n = next(people)  # from somewhere else each time, or it would be limited
        headers = {"X-Forwarded-For": f"203.0.{n // 256}.{n % 256}"}
        place = f"{(auth or self.one).url}/v1/auth/login"
        answer = httpx2.post(place, json=account, headers=headers, timeout=30)
        return answer.raise_for_status().json()

    def statuses(self, token: str) -> set[int]:
        """What each process answers to the token."""
        headers = {"Authorization": f"Bearer {token}"}
        places = (f"{self.one.url}/v1/auth/me", f"{self.two.url}/v1/auth/me", f"{self.tasks.url}/v1/tasks")
        return {httpx2.get(place, headers=headers, timeout=30).status_code for place in places}


def call(auth: Process, pair: dict[str, Any], path: str, **body: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {pair['access_token']}"}
    return httpx2.post(f"{auth.url}/v1/auth/{path}", headers=headers, json=body or None, timeout=30)


def refresh(auth: Process, pair: dict[str, Any]) -> httpx2.Response:
    return httpx2.post(f"{auth.url}/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]}, timeout=30)


@pytest.fixture(scope="module")
def fleet(replica_set: ReplicaSet, pem: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("sessions")
    try:
        redis = RedisServer(folder).__enter__()
    except PartUnavailable as reason:
        pytest.skip(str(reason))
    common = {
        "TASKSERVICE_MONGO_URL": replica_set.url,
        "TASKSERVICE_MONGO_DATABASE": "sessions",
        "TASKSERVICE_REDIS_URL": redis.url,
        # Long enough for a machine that does many other things: a slow answer is no outage.
        "TASKSERVICE_REDIS_TIMEOUT_SECONDS": "1",
        "TASKSERVICE_ARGON2_MEMORY_KIB": "8",
        "TASKSERVICE_ARGON2_TIME_COST": "1",
        "TASKSERVICE_JWT_PRIVATE_KEY": pem,
        "TASKSERVICE_TRUSTED_PROXIES": "127.0.0.0/8",
        "TASKSERVICE_LIMIT_REGISTER_PER_ADDRESS": "1000/minute",
        "TASKSERVICE_LIMIT_LOGIN_PER_ADDRESS": "30/hour",
        "TASKSERVICE_LIMIT_LOGIN_PER_ACCOUNT": "1000/minute",
        "TASKSERVICE_LOCKOUT_BASE_SECONDS": "600",
        "TASKSERVICE_REFRESH_GRACE_SECONDS": str(GRACE_SECONDS),
    }
    started: list[Process] = []
    try:
        one = Process("auth", folder, common | {"TASKSERVICE_MONGO_DRIVER": "motor"})
        started.append(one)
        two = Process("auth", folder, common | {"TASKSERVICE_MONGO_DRIVER": "pymongo"})
        started.append(two)
        keys = {"TASKSERVICE_JWKS_URL": f"{one.url}/.well-known/jwks.json"}
        tasks = Process("tasks", folder, common | keys)
        started.append(tasks)
        for process in started:
            process.wait_until_ready()
        yield Fleet(one, two, tasks, redis)
    finally:
        for process in started:
            process.kill()
        redis.kill()


def test_a_logout_on_one_process_is_a_refusal_on_all_at_once(fleet: Fleet) -> None:
    account = fleet.account()
    for n in range(15):
        here, there = (fleet.one, fleet.two) if n % 2 else (fleet.two, fleet.one)
        pair, other = fleet.login(account, here), fleet.login(account, there)
        assert fleet.statuses(pair["access_token"]) == {200}
        assert call(there, pair, "logout").status_code == 204
        assert fleet.statuses(pair["access_token"]) == {401}
        assert refresh(here, pair).status_code == 401
        assert fleet.statuses(other["access_token"]) == {200}


def test_a_logout_everywhere_and_a_new_password_end_what_came_before(fleet: Fleet) -> None:
    account = fleet.account()
    pairs = [fleet.login(account, auth) for auth in (fleet.one, fleet.two, fleet.one)]
    assert call(fleet.two, pairs[0], "logout-everywhere").status_code == 204
    for pair in pairs:
        assert fleet.statuses(pair["access_token"]) == {401}
        assert refresh(fleet.one, pair).status_code == 401
    pairs = [fleet.login(account, auth) for auth in (fleet.one, fleet.two)]
    answer = call(fleet.one, pairs[0], "password", current_password=PASSWORD, new_password="battery-staple")
    assert answer.status_code == 200
    for pair in pairs:
        assert fleet.statuses(pair["access_token"]) == {401}
        assert refresh(fleet.two, pair).status_code == 401
    assert fleet.statuses(answer.json()["access_token"]) == {200}
    assert refresh(fleet.two, answer.json()).status_code == 200


async def test_twenty_refreshes_at_once_on_two_processes_are_one(fleet: Fleet) -> None:
    account = await asyncio.to_thread(fleet.account)
    pair = await asyncio.to_thread(fleet.login, account)
    for _ in range(5):
        body = {"refresh_token": pair["refresh_token"]}
        async with httpx2.AsyncClient(timeout=30) as client:
            places = [f"{auth.url}/v1/auth/refresh" for auth in (fleet.one, fleet.two)] * 10
            answers = await asyncio.gather(*(client.post(place, json=body) for place in places))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["refresh_token"] for answer in answers}) == 1
        for answer in answers[:2]:
            assert await asyncio.to_thread(fleet.statuses, answer.json()["access_token"]) == {200}
        pair = answers[0].json()


async def test_a_stolen_refresh_token_ends_the_family_for_thief_and_owner(fleet: Fleet) -> None:
    account = await asyncio.to_thread(fleet.account)
    first = await asyncio.to_thread(fleet.login, account)
    second = (await asyncio.to_thread(refresh, fleet.one, first)).json()
    await asyncio.sleep(GRACE_SECONDS + 0.5)  # the grace, after which nobody honest uses it again
    assert (await asyncio.to_thread(refresh, fleet.two, first)).status_code == 401
    assert (await asyncio.to_thread(refresh, fleet.one, second)).status_code == 401
    for pair in (first, second):
        assert await asyncio.to_thread(fleet.statuses, pair["access_token"]) == {401}


def test_redis_killed_and_restarted_empty_lets_nobody_back_in(fleet: Fleet) -> None:
    account = fleet.account()
    before, during, after, stays = (fleet.login(account) for _ in range(4))

    def check(ended: list[dict[str, Any]], alive: list[dict[str, Any]]) -> None:
        for pair in ended:
            assert fleet.statuses(pair["access_token"]) == {401}
        for pair in alive:
            assert fleet.statuses(pair["access_token"]) == {200}

    assert call(fleet.one, before, "logout").status_code == 204
    check([before], [during, after, stays])
    fleet.redis.kill()
    try:
        check([before], [during, after, stays])
        # Slower, and not refused: whoever cannot tell Redis waits until nobody believes it any more.
        assert call(fleet.two, during, "logout").status_code == 204
        check([before, during], [after, stays])
    finally:
        fleet.redis.start()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:  # before, while and after it is filled again
        check([before, during], [stays])
    assert call(fleet.one, after, "logout").status_code == 204
    check([before, during, after], [stays])


def test_the_limit_of_an_address_is_one_for_all_processes_and_none_without_redis(fleet: Fleet) -> None:
    def attempt(n: int, address: str) -> httpx2.Response:
        # What a client writes to the left is its invention; the right entry is what our proxy saw.
        headers = {"X-Forwarded-For": f"192.0.2.{n}, {address}"}
        body = {"email": f"nobody{n}@example.com", "password": "x"}
        place = (fleet.one, fleet.two)[n % 2].url
        return httpx2.post(f"{place}/v1/auth/login", json=body, headers=headers, timeout=30)

    answers = [attempt(n, "198.51.100.7") for n in range(40)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 10
    assert answers[0].headers["ratelimit"].startswith('"login-address";r=29;t=')
    assert answers[-1].headers["ratelimit"].startswith('"login-address";r=0;t=')
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600
    assert attempt(0, "198.51.100.8").status_code == 401
    fleet.redis.kill()
    try:
        assert [attempt(100 + n, "198.51.100.7").status_code for n in range(4)] == [401] * 4
    finally:
        fleet.redis.start()


@pytest.mark.parametrize("known", [True, False])
def test_failures_are_counted_over_processes_and_survive_redis(known: bool, fleet: Fleet) -> None:
    account = fleet.account() if known else {"email": "nobody-at-all@example.com", "password": PASSWORD}

    def attempt(n: int, password: str) -> httpx2.Response:
        place = (fleet.one, fleet.two)[n % 2].url
        headers = {"X-Forwarded-For": "198.51.100.99" if known else "198.51.100.98"}
        return httpx2.post(f"{place}/v1/auth/login", json=account | {"password": password}, headers=headers, timeout=30)

    assert [attempt(n, "guess").status_code for n in range(6)] == [401] * 6
    fleet.redis.kill()
    fleet.redis.start()
    for n in range(4):
        answer = attempt(n, PASSWORD)
        assert answer.status_code == 429
        assert answer.json()["type"] == "urn:taskservice:problem:too-many-failures"
        assert 1 <= int(answer.headers["retry-after"]) <= 600


Claims = dict[str, Any]
Forge = Callable[[Claims, dict[str, Any], SigningKey], str]


def signed(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    return pyjwt.encode(claims, key.private, "EdDSA", header)


def unsigned(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    parts = [json.dumps(part).encode() for part in (header | {"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def hmac_with_the_public_key(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    raw = key.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return pyjwt.encode(claims, raw, "HS256", header)


def by_a_stranger(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    return pyjwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", header)


def with_the_key_in_the_header(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    own = SigningKey(Ed25519PrivateKey.generate(), key.kid)
    return pyjwt.encode(claims, own.private, "EdDSA", header | {"jwk": own.jwk, "jku": "http://127.0.0.1:9/jwks.json"})


def truncated(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    return signed(claims, header, key)[:-6]


def oversize(claims: Claims, header: dict[str, Any], key: SigningKey) -> str:
    return signed(claims | {"padding": "x" * 5000}, header, key)


NOW = int(datetime.now(UTC).timestamp())
HOUR = 3600
FORGERIES: dict[str, tuple[Claims, dict[str, Any], Forge]] = {
    "algorithm none": ({}, {}, unsigned),
    "the public key as a secret": ({}, {}, hmac_with_the_public_key),
    "a stranger's key under our id": ({}, {}, by_a_stranger),
    "a key of its own in the header": ({}, {}, with_the_key_in_the_header),
    "an unknown key id": ({}, {"kid": "unknown"}, signed),
    "a path for a key id": ({}, {"kid": "../../etc/passwd"}, signed),
    "another type": ({}, {"typ": "JWT"}, signed),
    "another audience": ({"aud": "other"}, {}, signed),
    "another issuer": ({"iss": "other"}, {}, signed),
    "expired": ({"iat": NOW - 2 * HOUR, "exp": NOW - HOUR}, {}, signed),
    "from the future": ({"iat": NOW + HOUR, "exp": NOW + 2 * HOUR}, {}, signed),
    "not yet valid": ({"nbf": NOW + HOUR}, {}, signed),
    "no session": ({"sid": ""}, {}, signed),
    "the mark of the denylist as a session": ({"sid": "*complete"}, {}, signed),
    "truncated": ({}, {}, truncated),
    "oversize": ({}, {}, oversize),
}


def good(subject: str) -> Claims:
    return {
        "iss": "taskservice-auth",
        "aud": "taskservice",
        "sub": subject,
        "jti": "j",
        "sid": "s",
        "iat": NOW,
        "exp": NOW + 2 * HOUR,
    }


def test_forged_tokens_are_refused_by_every_process(fleet: Fleet, pem: str) -> None:
    key = SigningKey.from_pem(pem.encode())
    header = {"kid": key.kid, "typ": "at+jwt"}
    subject = pyjwt.decode(fleet.login(fleet.account())["access_token"], options={"verify_signature": False})["sub"]
    assert fleet.statuses(signed(good(subject), header, key)) == {200}  # what the rest changes is good
    refused = {name: fleet.statuses(forge(good(subject) | claims, header | headers, key))
               for name, (claims, headers, forge) in FORGERIES.items()}  # fmt: skip
    assert {name: statuses for name, statuses in refused.items() if statuses != {401}} == {}
    assert len(refused) == len(FORGERIES)


@settings(
    max_examples=60, deadline=timedelta(seconds=30), suppress_health_check=list(HealthCheck), derandomize=True,
    database=None,
)  # fmt: skip
@given(data=st.data())
def test_a_damaged_token_is_refused_and_breaks_nothing(data: st.DataObject, fleet: Fleet) -> None:
    token = TOKENS.setdefault("good", fleet.login(fleet.account())["access_token"] if not TOKENS else "")
    alphabet = st.characters(codec="ascii", min_codepoint=33, max_codepoint=126)
    position = data.draw(st.integers(0, len(token) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "cut", "noise"]))
    fresh = data.draw(alphabet)
    damaged = {
        "replace": token[:position] + fresh + token[position + 1 :],
        "insert": token[:position] + fresh + token[position:],
        "cut": token[:position],
        "noise": data.draw(st.text(alphabet, min_size=1, max_size=300)),
    }[kind]
    if _same(damaged, token):
        return
    assert fleet.statuses(damaged or "x") <= {401}


TOKENS: dict[str, str] = {}


def _same(one: str, other: str) -> bool:
    """Whether two texts are one token: the last character of a part has bits that mean nothing."""

    def parts(text: str) -> list[bytes]:
        return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")]

    try:
        return parts(one) == parts(other)
    except ValueError:
        return False
