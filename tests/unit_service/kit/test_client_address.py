"""A client cannot choose its address; a proxy of ours is believed, and so is one before it."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.kit.client_address import UNKNOWN, ClientAddresses

OURS = ClientAddresses([ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8", "192.0.2.7/32")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours: what it says is nothing
        ("10.1.1.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the left entry is the client's invention
        ("10.1.1.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),  # the header twice is one list
        ("10.1.1.1", ["10.9.9.9, 198.51.100.1"], "198.51.100.1"),  # also when it claims to be one of ours
        ("10.1.1.1", ["1.1.1.1, 198.51.100.1, 192.0.2.7"], "198.51.100.1"),  # two of ours in a row
        ("10.1.1.1", ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),  # a client within
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.1, nonsense"], "10.1.1.1"),
        ("10.1.1.1", ["nonsense, 198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", [", ,"], "10.1.1.1"),
        ("10.1.1.1", ["unknown"], "10.1.1.1"),
        ("10.1.1.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.1.1", ["[2001:db8:1:2:3::4]:4711"], "2001:db8:1:2::/64"),
        ("10.1.1.1", ["2001:db8:1:2:ffff::9"], "2001:db8:1:2::/64"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.1.1.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("2001:db8::1", ["198.51.100.1"], "2001:db8::/64"),
        ("10.1.1.1", ["1.1.1.1," * 5000 + "198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["10.0.0.1," * 5000 + "10.0.0.2"], "10.0.0.1"),
        (None, ["198.51.100.1"], UNKNOWN),
        ("testclient", ["198.51.100.1"], UNKNOWN),
    ],
)
def test_the_client_is_the_first_stranger_from_the_right(peer: str | None, forwarded: list[str], client: str) -> None:
    assert OURS.find(peer, forwarded) == client


def test_without_trusted_networks_the_header_is_not_read() -> None:
    assert ClientAddresses(()).find("10.1.1.1", ["198.51.100.1"]) == "10.1.1.1"


@given(st.lists(st.text(max_size=60), max_size=4))
def test_whatever_a_client_writes_to_the_left_changes_nothing(invented: list[str]) -> None:
    assert OURS.find("10.1.1.1", [*invented, "198.51.100.1"]) == "198.51.100.1"
    assert OURS.find("203.0.113.9", invented) == "203.0.113.9"


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("10.0.0.0/8", 1), (" 10.0.0.0/8 , fd00::/8,", 2), ("192.0.2.7", 1)]
)
def test_networks_are_listed_with_commas(text: str, count: int, auth_settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("TASKSERVICE_TRUSTED_PROXIES", text)
    assert len(auth_settings().trusted_proxies) == count
