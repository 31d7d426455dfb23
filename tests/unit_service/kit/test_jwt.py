"""Forged, stale and misdirected tokens are all refused, with one and the same answer."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from taskservice.kit import jwt
from taskservice.kit.jwt import Issuer, SigningKey, StaticKeys, Unauthenticated, Verifier
from taskservice.kit.settings import SettingsError

pytestmark = pytest.mark.anyio


@pytest.fixture
def verifier(key: SigningKey) -> Verifier:
    return Verifier(StaticKeys({key.kid: key.private.public_key()}), "iss", "aud")


@pytest.fixture
def issuer(key: SigningKey) -> Issuer:
    return Issuer(key, "iss", "aud", 600)


def forge(key: SigningKey, headers: dict[str, Any] | None = None, leave_out: str = "", **claims: Any) -> str:
    """A token that is right in everything that is not named here."""
    now = int(datetime.now(UTC).timestamp())
    good = {"iss": "iss", "aud": "aud", "sub": "u", "jti": "t", "sid": "s", "iat": now, "exp": now + 600}
    payload = {name: value for name, value in (good | claims).items() if name != leave_out}
    return pyjwt.encode(payload, key.private, "EdDSA", {"kid": key.kid, "typ": "at+jwt"} | (headers or {}))


async def test_an_issued_token_is_accepted(issuer: Issuer, verifier: Verifier) -> None:
    principal = await verifier.verify(issuer.issue("user", "token", datetime.now(UTC)))
    assert (principal.user_id, principal.token_id) == ("user", "token")


async def test_roles_come_back_as_they_were_issued(issuer: Issuer, verifier: Verifier) -> None:
    now = datetime.now(UTC)
    assert (await verifier.verify(issuer.issue("user", "token", now))).roles == frozenset()
    assert (await verifier.verify(issuer.issue("user", "token", now, ["b", "a"]))).roles == {"a", "b"}


async def test_a_token_names_its_session_and_is_one_of_its_own_without(issuer: Issuer, verifier: Verifier) -> None:
    now = datetime.now(UTC)
    assert (await verifier.verify(issuer.issue("user", "token", now, session_id="session"))).session_id == "session"
    assert (await verifier.verify(issuer.issue("user", "token", now))).session_id == "token"


async def test_what_the_following_tests_change_is_accepted_unchanged(key: SigningKey, verifier: Verifier) -> None:
    assert (await verifier.verify(forge(key))).session_id == "s"


async def test_the_header_names_type_and_key(issuer: Issuer, key: SigningKey) -> None:
    header = pyjwt.get_unverified_header(issuer.issue("user", "token", datetime.now(UTC)))
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "jti", "sid", "iat", "exp"])
async def test_every_claim_is_required(claim: str, key: SigningKey, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(key, leave_out=claim))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"aud": ["aud", "other"]},
        {"exp": 1},
        {"iat": 4102444800, "exp": 4102445400},
        {"nbf": 4102444800},
        {"sub": 7},
        {"jti": 7},
        {"sid": 7},
        {"sid": ""},
        {"sid": "*complete"},
        {"sid": "x" * 65},
        {"roles": "admin"},
        {"roles": ["admin", 7]},
        {"roles": None},
    ],
    ids=str,
)
async def test_wrong_claims_are_refused(claims: dict[str, Any], key: SigningKey, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(key, **claims))


@pytest.mark.parametrize("headers", [{"typ": "JWT"}, {"typ": "at+JWT "}, {"kid": "unknown"}, {"kid": ""}], ids=str)
async def test_wrong_headers_are_refused(headers: dict[str, Any], key: SigningKey, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(key, headers))


async def test_another_key_under_our_name_is_refused(key: SigningKey, verifier: Verifier) -> None:
    stranger = SigningKey(Ed25519PrivateKey.generate(), key.kid)
    with pytest.raises(Unauthenticated):
        await verifier.verify(forge(stranger))


async def test_algorithm_none_is_refused(key: SigningKey, verifier: Verifier) -> None:
    _, payload, _ = forge(key).split(".")
    header = json.dumps({"alg": "none", "typ": "at+jwt", "kid": key.kid}).encode()
    for signature in ("", "AAAA"):
        with pytest.raises(Unauthenticated):
            await verifier.verify(f"{base64.urlsafe_b64encode(header).decode()}.{payload}.{signature}")


async def test_the_public_key_as_an_hmac_secret_is_refused(key: SigningKey, verifier: Verifier) -> None:
    raw = key.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    claims = pyjwt.decode(forge(key), options={"verify_signature": False})
    token = pyjwt.encode(claims, raw, "HS256", {"kid": key.kid, "typ": "at+jwt"})
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_a_changed_payload_is_refused(key: SigningKey, verifier: Verifier) -> None:
    header, _, signature = forge(key).split(".")
    _, other, _ = forge(key, sub="admin").split(".")
    with pytest.raises(Unauthenticated):
        await verifier.verify(f"{header}.{other}.{signature}")


@pytest.mark.parametrize("garbage", ["", ".", "..", "a.b.c", "é.é.é", "\x00", "[" * 3000, "x" * 5000, "W10.W10.W10"])
async def test_garbage_is_refused(garbage: str, verifier: Verifier) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.verify(garbage)


async def test_expiry_counts_from_issue(issuer: Issuer, verifier: Verifier) -> None:
    old = datetime.now(UTC) - timedelta(seconds=600) - jwt.LEEWAY - timedelta(seconds=2)
    with pytest.raises(Unauthenticated):
        await verifier.verify(issuer.issue("user", "token", old))


async def test_a_verified_token_is_remembered_until_it_expires(key: SigningKey) -> None:
    now = datetime.now(UTC).timestamp()
    clock = [now]
    verifier = Verifier(StaticKeys({key.kid: key.private.public_key()}), "iss", "aud", clock=lambda: clock[0])
    examined = 0
    examine = verifier._examine

    async def counting(token: str) -> Any:
        nonlocal examined
        examined += 1
        return await examine(token)

    verifier._examine = counting
    token = forge(key)
    for _ in range(5):
        assert (await verifier.verify(token)).user_id == "u"
    assert examined == 1
    clock[0] = now + 600 + jwt.LEEWAY.total_seconds() + 1
    await verifier.verify(token)  # this clock is only the memory's: examined again, and the real one decides
    assert examined == 2


async def test_a_remembered_token_goes_with_its_key(key: SigningKey) -> None:
    keys = {key.kid: key.private.public_key()}
    verifier = Verifier(StaticKeys(keys), "iss", "aud")
    token = forge(key)
    await verifier.verify(token)
    keys[key.kid] = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)
    del keys[key.kid]
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


async def test_what_is_remembered_is_bounded(key: SigningKey) -> None:
    verifier = Verifier(StaticKeys({key.kid: key.private.public_key()}), "iss", "aud", remembered=10)
    for n in range(50):
        assert (await verifier.verify(forge(key, sub=f"u{n}"))).user_id == f"u{n}"
    assert len(verifier._known) == 10


async def test_a_refused_token_is_not_remembered(key: SigningKey, verifier: Verifier) -> None:
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await verifier.verify(forge(key, aud="other"))
    assert not verifier._known


def test_thumbprint_is_the_one_of_rfc_8037() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jwt.thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_key_set_survives_the_wire(key: SigningKey) -> None:
    parsed = jwt.parse_key_set({"keys": [key.jwk, {"kty": "RSA", "kid": "x"}, "noise"]})
    assert list(parsed) == [key.kid]
    assert parsed[key.kid] == key.private.public_key()


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": 1}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AA"}]}],
    ids=str,
)
def test_what_is_no_key_set_raises(document: Any) -> None:
    with pytest.raises(ValueError):
        jwt.parse_key_set(document)


@pytest.mark.parametrize("pem", [b"", b"hunter2", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_an_unusable_key_is_a_sentence(pem: bytes) -> None:
    with pytest.raises(SettingsError, match="openssl genpkey") as error:
        SigningKey.from_pem(pem)
    assert "hunter2" not in str(error.value)
