"""Who has no valid token is refused at the edge, before any service is asked; the service looks at it once more."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from taskservice.kit.jwt import Issuer, SigningKey, public_jwk, thumbprint
from testkit.edge_client import Answer, Edge

ISSUER, AUDIENCE = "taskservice-auth", "taskservice"


@pytest.fixture
def key(edge: Edge) -> SigningKey:
    """The key that auth signs with."""
    secret = edge.live.get("secret", "taskservice-jwt") or {}
    return SigningKey.from_pem(base64.b64decode(secret["data"]["TASKSERVICE_JWT_PRIVATE_KEY"]))


def refused_at_the_edge(answer: Answer) -> bool:
    assert answer.status == 401, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["type"] == "urn:taskservice:problem:unauthenticated"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    return not answer.by_service


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/auth/me"])
def test_no_token_and_garbage_are_refused(edge: Edge, path: str) -> None:
    assert refused_at_the_edge(edge.ask("GET", path))
    for token in ("garbage", "a.b.c", "x" * 5000):
        assert refused_at_the_edge(edge.ask("GET", path, token=token))


def test_a_token_in_the_address_is_no_token(edge: Edge) -> None:
    assert refused_at_the_edge(edge.ask("GET", f"/v1/tasks?access_token={edge.token()}"))


def test_the_proxy_that_refuses_asks_nobody(edge: Edge) -> None:
    marker = f"/v1/tasks/{datetime.now(UTC).timestamp()}"
    assert refused_at_the_edge(edge.ask("GET", marker))
    line = edge.logged(lambda entry: entry["path"] == marker)
    assert (line["status"], line["attempts"], line["upstream"]) == (401, 0, None)


def test_a_token_that_has_expired_is_refused(edge: Edge, key: SigningKey) -> None:
    issuer = Issuer(key, ISSUER, AUDIENCE, 600)
    fresh = issuer.issue("somebody", "1", datetime.now(UTC))
    assert edge.ask("GET", "/v1/tasks", token=fresh).status == 200
    old = issuer.issue("somebody", "1", datetime.now(UTC) - timedelta(hours=1))
    assert refused_at_the_edge(edge.ask("GET", "/v1/tasks", token=old))


def test_a_token_of_another_key_issuer_or_audience_is_refused(edge: Edge, key: SigningKey) -> None:
    now = datetime.now(UTC)
    forged = Ed25519PrivateKey.generate()
    for issuer in (
        Issuer(SigningKey(forged, thumbprint(public_jwk(forged.public_key()))), ISSUER, AUDIENCE, 600),
        Issuer(SigningKey(forged, key.kid), ISSUER, AUDIENCE, 600),
        Issuer(key, "somebody-else", AUDIENCE, 600),
    ):
        assert refused_at_the_edge(edge.ask("GET", "/v1/tasks", token=issuer.issue("somebody", "1", now)))
    for_others = Issuer(key, ISSUER, "another-service", 600).issue("somebody", "1", now)
    answer = edge.ask("GET", "/v1/tasks", token=for_others)
    assert (answer.status, answer.by_service) == (403, False)
    assert answer.document["type"] == "urn:taskservice:problem:forbidden"


def test_the_service_refuses_what_the_edge_cannot_tell(edge: Edge, key: SigningKey) -> None:
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "jti": "1", "iat": now, "exp": now + 600}
    of_another_type = jwt.encode(claims, key.private, "EdDSA", {"kid": key.kid, "typ": "JWT"})
    answer = edge.ask("GET", "/v1/tasks", token=of_another_type)
    assert answer.status == 401
    assert answer.by_service


def test_registration_and_login_need_no_token_and_the_key_set_is_public(edge: Edge) -> None:
    assert edge.token()
    keys = edge.ask("GET", "/.well-known/jwks.json")
    assert keys.status == 200
    assert len(keys.document["keys"]) >= 1
