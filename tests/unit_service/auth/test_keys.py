"""A signing key is replaced in three releases, and no token is refused on the way."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from taskservice.auth.keys import KeyRing
from taskservice.kit.jwt import SigningKey
from taskservice.kit.settings import AuthSettings, SettingsError

pytestmark = pytest.mark.anyio

ANN = {"email": "ann@example.com", "password": "correct horse"}


def private(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def kid(key: Ed25519PrivateKey) -> str:
    return SigningKey.from_pem(private(key).encode()).kid


async def published(service: Any) -> list[str]:
    answer = await service.client.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert all(set(jwk) == {"kty", "crv", "x", "kid", "use", "alg"} for jwk in answer.json()["keys"])
    return [jwk["kid"] for jwk in answer.json()["keys"]]


async def token_of(service: Any) -> str:
    await service.client.post("/v1/auth/register", json=ANN)
    return (await service.client.post("/v1/auth/login", json=ANN)).json()["access_token"]


async def verified(service: Any, token: str) -> bool:
    """Whether the signature and the claims are accepted, wherever the session lives."""
    try:
        await service.app.state.authenticator.verifier.verify(token)
    except Exception:
        return False
    return True


async def test_three_releases_replace_the_key(run_auth: Callable[..., Any]) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    steps = [
        {"jwt_private_key": private(old)},
        {"jwt_private_key": private(old), "jwt_published_keys": public(new)},
        {"jwt_private_key": private(new), "jwt_published_keys": public(old)},
        {"jwt_private_key": private(new)},
    ]
    sets, tokens = [], []
    for step in steps:
        async with run_auth(**step) as service:
            sets.append(await published(service))
            tokens.append(await token_of(service))
            # A token of the step before is good: tokens live for less than a step.
            assert [await verified(service, token) for token in tokens[-2:]] == [True] * len(tokens[-2:])
            if step is steps[-1]:
                assert [await verified(service, token) for token in tokens] == [False, False, True, True]
    assert sets == [[kid(old)], [kid(old), kid(new)], [kid(new), kid(old)], [kid(new)]]
    signed_by = [pyjwt.get_unverified_header(token)["kid"] for token in tokens]
    assert signed_by == [kid(old), kid(old), kid(new), kid(new)]
    # During a rollout both sides serve: whoever has fetched either side's keys verifies tokens of both.
    for earlier, later in itertools.pairwise(sets):
        assert set(earlier) & set(later)


def test_keys_come_as_files_and_as_private_keys_too(auth_settings: Callable[..., AuthSettings], tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    current, others = tmp_path / "current.pem", tmp_path / "others.pem"
    current.write_text(private(keys[0]))
    others.write_text(f"{public(keys[1])}\n{private(keys[2])}")
    ring = KeyRing.of(auth_settings(jwt_private_key=None, jwt_private_key_file=current, jwt_published_keys_file=others))
    assert [jwk["kid"] for jwk in ring.jwks] == [kid(key) for key in keys]
    assert all("d" not in jwk for jwk in ring.jwks)


def test_the_signing_key_is_published_once(auth_settings: Callable[..., AuthSettings]) -> None:
    key = Ed25519PrivateKey.generate()
    ring = KeyRing.of(auth_settings(jwt_private_key=private(key), jwt_published_keys=private(key) + public(key)))
    assert [jwk["kid"] for jwk in ring.jwks] == [kid(key)]


@pytest.mark.parametrize("kind", ["garbage", "another kind", "half"])
def test_what_is_no_key_is_a_sentence(kind: str, auth_settings: Callable[..., AuthSettings]) -> None:
    other = generate_private_key(SECP256R1()).public_key()
    text = {
        "garbage": "hunter2",
        "another kind": other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "half": public(Ed25519PrivateKey.generate())[:60],
    }[kind]
    with pytest.raises(SettingsError, match="TASKSERVICE_JWT_PUBLISHED_KEYS") as error:
        KeyRing.of(auth_settings(jwt_published_keys=text))
    assert "hunter2" not in str(error.value)


def test_a_missing_file_is_a_sentence(auth_settings: Callable[..., AuthSettings], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TASKSERVICE_JWT_PUBLISHED_KEYS_FILE cannot be read"):
        KeyRing.of(auth_settings(jwt_published_keys_file=tmp_path / "nowhere.pem"))
