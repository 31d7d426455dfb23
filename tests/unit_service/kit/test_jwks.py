"""Keys are kept while the issuer is down, fetched again for a new id, and never asked for in a hurry."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from taskservice.kit.errors import Unavailable
from taskservice.kit.jwks import CachedKeys, HttpKeySet
from taskservice.kit.jwt import SigningKey

pytestmark = pytest.mark.anyio


class Published:
    """A key set that the test changes; counts how often it is read."""

    def __init__(self, *ids: str) -> None:
        self.keys: dict[str, Ed25519PublicKey] = {}
        self.publish(*ids)
        self.down = False
        self.reads = 0

    def publish(self, *ids: str) -> None:
        self.keys = {kid: Ed25519PrivateKey.generate().public_key() for kid in ids}

    async def __call__(self) -> dict[str, Ed25519PublicKey]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.down:
            raise OSError("refused")
        return dict(self.keys)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cached(time: Time) -> Callable[[Published], CachedKeys]:
    return lambda published: CachedKeys(published, max_age_seconds=300, cooldown_seconds=5, clock=time)


async def test_one_fetch_serves_many(cached: Callable[[Published], CachedKeys]) -> None:
    published = Published("a")
    keys = cached(published)
    found = await asyncio.gather(*(keys.find("a") for _ in range(50)))
    assert all(key == published.keys["a"] for key in found)
    assert published.reads == 1


async def test_an_unknown_id_asks_again_after_the_cooldown(
    cached: Callable[[Published], CachedKeys], time: Time
) -> None:
    published = Published("a")
    keys = cached(published)
    await keys.warm()
    published.publish("a", "b")
    assert await keys.find("b") is None  # too soon
    assert published.reads == 1
    time.now += 6
    assert await keys.find("b") is not None
    for _ in range(20):
        assert await keys.find("never") is None
    assert published.reads == 2


async def test_an_old_set_serves_while_it_is_refreshed(cached: Callable[[Published], CachedKeys], time: Time) -> None:
    published = Published("a")
    keys = cached(published)
    await keys.warm()
    old = published.keys["a"]
    published.publish("a")
    time.now += 301
    assert await keys.find("a") == old
    await asyncio.sleep(0.01)
    assert await keys.find("a") == published.keys["a"]


async def test_the_keys_at_hand_outlive_the_issuer(cached: Callable[[Published], CachedKeys], time: Time) -> None:
    published = Published("a")
    keys = cached(published)
    await keys.warm()
    published.down = True
    for _ in range(5):
        time.now += 1000
        assert await keys.find("a") == published.keys["a"]
        await asyncio.sleep(0.01)
    assert await keys.find("b") is None
    await keys.close()


async def test_without_any_set_the_answer_is_unavailable(cached: Callable[[Published], CachedKeys], time: Time) -> None:
    published = Published("a")
    published.down = True
    keys = cached(published)
    with pytest.raises(Unavailable):
        await keys.warm()
    with pytest.raises(Unavailable):
        await keys.find("a")
    published.down = False
    time.now += 6
    assert await keys.find("a") is not None


async def fetch(handler: Callable[[httpx2.Request], httpx2.Response]) -> dict[str, Ed25519PublicKey]:
    key_set = HttpKeySet("http://auth/jwks", 1.0, httpx2.MockTransport(handler))
    try:
        return await key_set()
    finally:
        await key_set.close()


async def test_a_served_set_is_read(key: SigningKey) -> None:
    found = await fetch(lambda _: httpx2.Response(200, json={"keys": [key.jwk]}))
    assert list(found) == [key.kid]


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(500),
        httpx2.Response(302, headers={"Location": "http://evil/jwks"}),
        httpx2.Response(200, json={"keys": []}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, content=b" " * 70_000 + b'{"keys": []}'),
    ],
    ids=["500", "redirect", "empty", "html", "huge"],
)
async def test_anything_else_raises(response: httpx2.Response) -> None:
    with pytest.raises((httpx2.HTTPError, ValueError)):
        await fetch(lambda _: response)
