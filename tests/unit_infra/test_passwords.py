"""Derived passwords: the same for the same seed and name, and for nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from taskservice_infra.passwords import derive, derive_signing_key, new_seed


def test_the_same_seed_and_name_give_the_same_password(seed: str) -> None:
    assert derive(seed, "redis/admin") == derive(seed, "redis/admin")


def test_another_name_seed_or_generation_gives_another_password(seed: str) -> None:
    found = {derive(seed, "a"), derive(seed, "b"), derive(seed, "a", generation=2), derive(new_seed(), "a")}
    assert len(found) == 4


@pytest.mark.parametrize("length", [16, 32, 128, 1000])
def test_a_password_is_as_long_as_asked_and_fits_addresses_and_key_files(seed: str, length: int) -> None:
    password = derive(seed, "mongodb/keyfile", length=length)
    assert len(password) == length
    assert set(password) <= set("0123456789abcdef")


def test_a_long_password_does_not_repeat_itself(seed: str) -> None:
    password = derive(seed, "mongodb/keyfile", length=128)
    assert password[:64] != password[64:]


def test_a_signing_key_is_an_ed25519_key_that_libraries_read(seed: str) -> None:
    pem = derive_signing_key(seed, "jwt")
    assert isinstance(load_pem_private_key(pem.encode(), None), Ed25519PrivateKey)
    assert pem == derive_signing_key(seed, "jwt") != derive_signing_key(seed, "jwt", generation=2)


def test_something_short_is_no_seed() -> None:
    with pytest.raises(ValueError, match="at least 43"):
        derive("secret", "a")
