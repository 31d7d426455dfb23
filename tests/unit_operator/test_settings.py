"""Settings: good defaults, and a sentence for each that cannot be used."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("name", "value"),
    [
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
