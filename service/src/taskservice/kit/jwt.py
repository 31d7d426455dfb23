"""Access tokens (RFC 9068 shape, EdDSA) and the keys that sign and verify them.

A key's id is its RFC 7638 thumbprint, so that two processes with the same key publish the same key set. A token
says which session it belongs to (`sid`): whoever ends the session refuses all of its tokens, see `kit.denylist`.
"""

import base64
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
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
    load_pem_public_key,
)

from taskservice.kit.errors import Problem
from taskservice.kit.settings import SettingsError

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
LEEWAY = timedelta(seconds=10)
REQUIRED = ["iss", "aud", "sub", "jti", "iat", "exp", "sid"]
MAX_TOKEN_CHARACTERS = 4096
MAX_LIFETIME_SECONDS = 3600
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
REMEMBERED = 10_000
PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)

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
    session_id: str = ""


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
        return published_jwk(self.private.public_key())


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

    def issue(
        self, user_id: str, token_id: str, now: datetime, roles: Collection[str] = (), session_id: str | None = None
    ) -> str:
        """A token of the session; without one it is a session of its own."""
        issued_at = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": user_id,
            "jti": token_id,
            "sid": session_id or token_id,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_seconds,
        }
        if roles:
            claims["roles"] = sorted(roles)
        headers = {"kid": self.key.kid, "typ": TOKEN_TYPE}
        return jwt.encode(claims, self.key.private, ALGORITHM, headers)


@dataclass(frozen=True)
class _Known:
    """What a verified token said, and the key that it was verified with."""

    principal: Principal
    kid: str
    key: Ed25519PublicKey
    expires_at: float


class Verifier:
    """Turns a bearer token into a principal; says nothing of sessions that have ended, see `kit.bearer`.

    A token that was verified is remembered by its hash until it expires or its key is no longer published: the
    signature costs more than the rest of a request.
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audience: str,
        *,
        remembered: int = REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._remembered = remembered
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Raises Unauthenticated for a token that is not ours and valid now; Unavailable without keys."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthenticated
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None:
            if known.expires_at > self._clock() and await self._keys.find(known.kid) == known.key:
                self._known.move_to_end(digest)
                return known.principal
            self._known.pop(digest, None)
        known = await self._examine(token)
        self._known[digest] = known
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return known.principal

    async def _examine(self, token: str) -> _Known:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM:
                raise Unauthenticated
            kid = header.get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated
            key = await self._keys.find(kid)
            if key is None:
                raise Unauthenticated
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED, "strict_aud": True},
            )
            expires_at = int(claims["exp"]) + LEEWAY.total_seconds()
        except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError):
            raise Unauthenticated from None
        return _Known(_principal(claims), kid, key, expires_at)


def _principal(claims: dict[str, Any]) -> Principal:
    session_id = claims["sid"]
    if not isinstance(session_id, str) or not SESSION_ID.fullmatch(session_id):
        raise Unauthenticated
    return Principal(claims["sub"], claims["jti"], _roles(claims.get("roles", [])), session_id)


def _roles(claim: Any) -> frozenset[str]:
    """The `roles` claim (RFC 9068). Raises Unauthenticated unless it is a list of strings."""
    if not isinstance(claim, list) or not all(isinstance(role, str) for role in claim):
        raise Unauthenticated
    return frozenset(claim)


def published_jwk(key: Ed25519PublicKey) -> Jwk:
    """A key as it stands in a key set."""
    return (jwk := public_jwk(key)) | {"kid": thumbprint(jwk), "use": "sig", "alg": ALGORITHM}


def public_keys_of(pem: bytes) -> list[Ed25519PublicKey]:
    """The public halves of PEM blocks, one after another, each a public or a private key. Raises SettingsError."""
    keys: list[Ed25519PublicKey] = []
    for block in PEM_BLOCK.finditer(pem):
        try:
            if block[1] == b"PUBLIC KEY":
                key = load_pem_public_key(block[0])
            else:
                key = SigningKey.from_pem(block[0]).private.public_key()
        except (ValueError, UnsupportedAlgorithm, SettingsError):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise SettingsError(
                "TASKSERVICE_JWT_PUBLISHED_KEYS holds a block that is no Ed25519 key;"
                " it takes public or private keys in PEM, one after another."
            )
        keys.append(key)
    if PEM_BLOCK.sub(b"", pem).strip():
        raise SettingsError("TASKSERVICE_JWT_PUBLISHED_KEYS holds something that is no key in PEM.")
    return keys


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
