"""Values by recipe: passwords, signing keys, and texts that quote other fields."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from taskservice_keeper.vault.desired import REFERENCE, Password, Recipe, SigningKey, Text

ALPHABET = string.ascii_letters + string.digits


class Entropy(Protocol):
    """Where randomness comes from."""

    def letters(self, count: int) -> str:
        """Return that many letters and digits."""
        ...

    def signing_key(self) -> str:
        """Return an Ed25519 private key in PEM."""
        ...


class SystemEntropy:
    """The operating system's randomness."""

    def letters(self, count: int) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(count))

    def signing_key(self) -> str:
        key = Ed25519PrivateKey.generate()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make(recipe: Recipe, entropy: Entropy, value_of: Callable[[str, str], str]) -> str:
    """Return a new value; `value_of(place, field)` reads what a text quotes."""
    if isinstance(recipe, Password):
        return entropy.letters(recipe.length)
    if isinstance(recipe, SigningKey):
        return entropy.signing_key()
    return fill(recipe, value_of)


def fill(text: Text, value_of: Callable[[str, str], str]) -> str:
    """Return the text with the values that it quotes."""
    return REFERENCE.sub(lambda found: value_of(found[1], found[2]), text.text)
