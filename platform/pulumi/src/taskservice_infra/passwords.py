"""Passwords that nobody has to think of: each is derived from the one seed of its project and from its own name.

The seed is made once and kept as a secret setting (``data:seed``).  Derived passwords are the same in every run, so a
Secret that was deleted, or a run that was killed, brings back the password that the database already knows.  Another
generation of a name is another password.  Derivation: HMAC-SHA-256 (RFC 2104) used as a key derivation function.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

SEED_BYTES = 32
SEED_LENGTH = 43
"""Characters of a seed: ``SEED_BYTES`` in URL-safe base64 without padding."""

# PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410, section 7).
_ED25519_PREFIX = bytes.fromhex("302e020100300506032b657004220420")


def new_seed() -> str:
    """A seed from the operating system's randomness."""
    return secrets.token_urlsafe(SEED_BYTES)


def derive(seed: str, name: str, *, generation: int = 1, length: int = 32) -> str:
    """The password called ``name``: ``length`` hexadecimal digits, which every address and key file can hold.

    Raises :class:`ValueError` for a seed that is too short to be one.
    """
    return _stream(seed, name, generation, length).hex()[:length]


def derive_signing_key(seed: str, name: str, *, generation: int = 1) -> str:
    """The Ed25519 private key called ``name``, as PEM (PKCS #8)."""
    encoded = base64.b64encode(_ED25519_PREFIX + _stream(seed, name, generation, 32)[:32]).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n"


def _stream(seed: str, name: str, generation: int, length: int) -> bytes:
    if len(seed) < SEED_LENGTH:
        raise ValueError(f"a seed has at least {SEED_LENGTH} characters")
    blocks = range(1 + length // 32)
    return b"".join(
        hmac.digest(seed.encode(), f"{name}\0{generation}\0{block}".encode(), hashlib.sha256) for block in blocks
    )
