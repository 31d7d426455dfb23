"""Access tokens (RFC 9068 shape, EdDSA) and the keys that sign and verify them. Pure but for key parsing.

A key's id is its RFC 7638 thumbprint, so that two processes with the same key publish the same key set.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from taskservice.kit.errors import Problem
from taskservice.kit.settings import SettingsError

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
LEEWAY = timedelta(seconds=10)
REQUIRED = ["iss", "aud", "sub", "jti", "iat", "exp"]
MAX_TOKEN_CHARACTERS = 4096

Jwk = dict[str, str]


class Unauthenticated(Problem):
    """No usable token. One text for every cause: a forger learns nothing from the answer."""

    status, code, title = 401, "unauthenticated", "A valid access token is required"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


@dataclass(frozen=True)
class Principal:
    """Whom a verified token speaks for."""

    user_id: str
    token_id: str
    roles: frozenset[str] = frozenset()


class KeySource(Protocol):
    """Finds verification keys."""

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key with this id, or None. Raises Unavailable when no key set was ever seen."""
        ...


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id."""

    private: Ed25519PrivateKey
    kid: str

    @classmethod
    def from_pem(cls, pem: bytes) -> "SigningKey":
        """Raises SettingsError unless the PEM is an unencrypted Ed25519 private key."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise SettingsError(
                "TASKSERVICE_JWT_PRIVATE_KEY is not an Ed25519 private key in PEM;"
                " make one with: openssl genpkey -algorithm ed25519."
            )
        return cls(private, thumbprint(public_jwk(private.public_key())))

    @property
    def jwk(self) -> Jwk:
        """The public half, as published."""
        return public_jwk(self.private.public_key()) | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}


@dataclass(frozen=True)
class StaticKeys:
    """A key source that knows its keys from the start: the issuer's own."""

    keys: Mapping[str, Ed25519PublicKey]

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        return self.keys.get(kid)


@dataclass(frozen=True)
class Issuer:
    """Signs access tokens."""

    key: SigningKey
    issuer: str
    audience: str
    lifetime_seconds: int

    def issue(self, user_id: str, token_id: str, now: datetime, roles: Collection[str] = ()) -> str:
        issued_at = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user_id,
            "jti": token_id,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_seconds,
        }
        if roles:
            claims["roles"] = sorted(roles)
        headers = {"kid": self.key.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, self.key.private, ALGORITHM, headers)


@dataclass(frozen=True)
class Verifier:
    """Turns a bearer token into a principal."""

    keys: KeySource
    issuer: str
    audience: str

    async def verify(self, token: str) -> Principal:
        """Raises Unauthenticated for a token that is not ours and valid now; Unavailable without keys."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthenticated
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM:
                raise Unauthenticated
            kid = header.get("kid")
            key = await self.keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise Unauthenticated
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED, "strict_aud": True},
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise Unauthenticated from None
        return Principal(claims["sub"], claims["jti"], _roles(claims.get("roles", [])))


def _roles(claim: Any) -> frozenset[str]:
    """The `roles` claim (RFC 9068). Raises Unauthenticated unless it is a list of strings."""
    if not isinstance(claim, list) or not all(isinstance(role, str) for role in claim):
        raise Unauthenticated
    return frozenset(claim)


def public_jwk(key: Ed25519PublicKey) -> Jwk:
    """The members of the key itself (RFC 8037), without id or use."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": _b64(raw)}


def thumbprint(jwk: Jwk) -> str:
    """RFC 7638: the hash of the required members in lexical order."""
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    return _b64(hashlib.sha256(members.encode()).digest())


def parse_key_set(document: Any) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS document by id; other kinds are skipped. Raises ValueError."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519":
            continue
        kid, x = entry.get("kid"), entry.get("x")
        if isinstance(kid, str) and isinstance(x, str):
            raw = base64.urlsafe_b64decode(x + "=" * (-len(x) % 4))
            keys[kid] = Ed25519PublicKey.from_public_bytes(raw)
    return keys


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
