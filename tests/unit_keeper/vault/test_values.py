"""Values that are made by recipe."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from taskservice_keeper.vault.desired import Password, SigningKey, Text
from taskservice_keeper.vault.values import ALPHABET, SystemEntropy, make


def nothing(place: str, field: str) -> str:
    raise AssertionError(f"{place}#{field} was read")


def test_a_password_has_its_length_and_is_another_each_time() -> None:
    one, other = (make(Password(length=48), SystemEntropy(), nothing) for _ in range(2))
    assert len(one) == 48
    assert set(one) <= set(ALPHABET)
    assert one != other


def test_a_signing_key_is_an_ed25519_key_in_pem() -> None:
    pem = make(SigningKey(), SystemEntropy(), nothing)
    assert isinstance(load_pem_private_key(pem.encode(), None), Ed25519PrivateKey)


def test_a_text_gets_the_values_that_it_quotes() -> None:
    values = {("secret:data/m", "password"): "pw$1", ("a", "b"): "c"}
    made = make(Text(text="m://u:${secret:data/m#password}@h/${a#b}$"), SystemEntropy(), lambda *key: values[key])
    assert made == "m://u:pw$1@h/c$"
