"""Refresh tokens: what they look like, how one follows from another, and what a presented one deserves. Pure.

A token is two random values of 256 bits. The first names the family for as long as it lives; its hash is the
session's id. The second is good for one use. Only hashes are stored, so the database holds nothing to log in with.

The successor is derived from the value that was used and a nonce that is stored: whoever uses the same token again
within the grace (two tabs, a retry after a lost answer) gets the same successor, and there is never more than one.
Any other value under a family's name is an old token in two hands, one of which may be a thief's: the family ends.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskservice.auth.errors import BadRefreshToken

PART_BYTES = 32
TOKEN_CHARACTERS = 86


@dataclass(frozen=True)
class RefreshToken:
    """What a client holds."""

    family: bytes
    secret: bytes

    @classmethod
    def fresh(cls) -> "RefreshToken":
        """The first token of a new family."""
        return cls(secrets.token_bytes(PART_BYTES), secrets.token_bytes(PART_BYTES))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken":
        """Raises BadRefreshToken."""
        try:
            raw = base64.b64decode(text + "==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BadRefreshToken from None
        if len(text) != TOKEN_CHARACTERS or len(raw) != 2 * PART_BYTES:
            raise BadRefreshToken
        return cls(raw[:PART_BYTES], raw[PART_BYTES:])

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(self.family + self.secret).rstrip(b"=").decode()

    def __repr__(self) -> str:
        return f"RefreshToken of session {self.session_id}"

    @property
    def session_id(self) -> str:
        return hashlib.sha256(self.family).hexdigest()[:32]

    @property
    def hash(self) -> bytes:
        """What is stored of the value that is good for one use."""
        return hashlib.sha256(self.secret).digest()

    def next(self, nonce: bytes) -> "RefreshToken":
        """The token that follows; the same for the same nonce."""
        return RefreshToken(self.family, hmac.digest(self.secret, nonce, "sha256"))


@dataclass(frozen=True)
class Rotation:
    """One use of a token: which, when, and what its successor was derived with."""

    used: bytes
    nonce: bytes
    at: datetime


@dataclass(frozen=True)
class Session:
    """A login and the family of refresh tokens that keeps it alive."""

    id: str
    user_id: str
    current: bytes
    rotations: tuple[Rotation, ...]  # the latest few, oldest first
    created_at: datetime
    ends_at: datetime
    idle_until: datetime
    ended_at: datetime | None = None

    def over(self, now: datetime) -> bool:
        """Whether it has ended, by somebody's wish or by itself."""
        return self.ended_at is not None or now >= min(self.ends_at, self.idle_until)


class Rotate:
    """The token is the current one: it is to be replaced."""


@dataclass(frozen=True)
class Repeat:
    """The token was used a moment ago; this is the current one, which that use led to."""

    current: RefreshToken


class Reused:
    """The token is an old one: the family ends."""


class Refused:
    """There is no session, or it is over."""


Verdict = Rotate | Repeat | Reused | Refused


def judge(session: Session | None, token: RefreshToken, now: datetime, grace: timedelta) -> Verdict:
    """What a presented token deserves."""
    if session is None or session.over(now):
        return Refused()
    if hmac.compare_digest(token.hash, session.current):
        return Rotate()
    for index, rotation in enumerate(session.rotations):
        if hmac.compare_digest(token.hash, rotation.used) and now - rotation.at <= grace:
            for later in session.rotations[index:]:
                token = token.next(later.nonce)
            return Repeat(token)
    return Reused()
