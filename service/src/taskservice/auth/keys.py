"""The keys of the issuer: one that signs, and those that are published with it.

To rotate without a refused token, three releases (`docs/signing-keys.md`): publish the next key, sign with it while
the one before stays published, and withdraw that when no token of it can be valid any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from taskservice.kit.jwt import Jwk, SigningKey, public_jwk, public_keys_of, published_jwk, thumbprint
from taskservice.kit.settings import AuthSettings


@dataclass(frozen=True)
class KeyRing:
    """Keys by id; the current one is first."""

    current: SigningKey
    published: Mapping[str, Ed25519PublicKey]

    @classmethod
    def of(cls, settings: AuthSettings) -> "KeyRing":
        """Raises SettingsError for anything that is no key."""
        current = SigningKey.from_pem(settings.signing_key_pem())
        keys = [current.private.public_key(), *public_keys_of(settings.published_keys_pem())]
        return cls(current, {thumbprint(public_jwk(key)): key for key in keys})

    @property
    def jwks(self) -> list[Jwk]:
        """All keys, as published."""
        return [published_jwk(key) for key in self.published.values()]
