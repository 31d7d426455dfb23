"""Settings: good defaults, and a sentence for each that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskservice_operator.settings import PREFIX, InvalidSettings, read_settings


def test_nothing_set_is_a_pod_that_looks_after_all_namespaces() -> None:
    settings = read_settings({"POD_NAMESPACE": "platform"})
    assert (settings.namespaces, settings.leader_election, settings.lease_namespace) == ((), True, "platform")


def test_values_are_read() -> None:
    env = {"NAMESPACES": "b, a,", "WORKERS": "3", "LEADER_ELECTION": "false", "LOG_FORMAT": "plain", "PORT": "0"}
    settings = read_settings({PREFIX + name: value for name, value in env.items()})
    assert settings.namespaces == ("a", "b")
    assert (settings.workers, settings.leader_election, settings.log_format) == (3, False, "plain")
    assert settings.port == 0


def test_there_is_no_vault_unless_one_is_named() -> None:
    assert read_settings({}).vault.address == ""


def test_where_vault_is_and_how_it_is_asked_is_read(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("")
    env = {
        "VAULT_ADDRESS": "https://vault.secrets.svc:8200/",
        "VAULT_AUTH_MOUNT": "/clusters/one/",
        "VAULT_AUDIENCE": "one",
        "VAULT_CA_FILE": str(tmp_path / "ca.crt"),
        "VAULT_POLL_SECONDS": "5",
    }
    vault = read_settings({PREFIX + name: value for name, value in env.items()}).vault
    assert (vault.address, vault.auth_mount) == ("https://vault.secrets.svc:8200", "clusters/one")
    assert (vault.audience, vault.ca_file, vault.poll_seconds) == ("one", env["VAULT_CA_FILE"], 5)


def test_a_certificate_that_is_not_there_is_named() -> None:
    env = {"VAULT_ADDRESS": "https://vault", "VAULT_CA_FILE": "/no/such/file"}
    with pytest.raises(InvalidSettings, match=r"VAULT_CA_FILE.*/no/such/file"):
        read_settings({PREFIX + name: value for name, value in env.items()})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT_ADDRESS", "vault.secrets.svc:8200"),
        ("VAULT_ADDRESS", "https://vault .svc"),
        ("VAULT_AUTH_MOUNT", "../sys"),
        ("VAULT_POLL_SECONDS", "0"),
        ("VAULT_CONCURRENCY", "1000"),
        ("NAMESPACES", "Not_A_Name"),
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("LEADER_ELECTION", "perhaps"),
        ("LOG_FORMAT", "xml"),
        ("RESYNC_SECONDS", "nan"),
        ("PORT", "70000"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings, match=PREFIX + name):
        read_settings({PREFIX + name: value})
