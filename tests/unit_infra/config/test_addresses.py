"""Ranges are private, proper and apart; a network is cut the same way whatever comes later."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from pydantic import TypeAdapter, ValidationError

from taskservice_infra.config.addresses import PrivateRange, SourceRange, by_zone, expect_apart, expect_size

PRIVATE: TypeAdapter[IPv4Network] = TypeAdapter(PrivateRange)
SOURCE: TypeAdapter[IPv4Network] = TypeAdapter(SourceRange)


@pytest.mark.parametrize("text", ["10.20.0.0/16", "172.20.0.0/16", "192.168.4.0/24", "100.64.0.0/10"])
def test_a_private_range_is_taken_and_written_as_it_came(text: str) -> None:
    assert PRIVATE.dump_python(PRIVATE.validate_python(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.20.0.0/33", "is no IPv4 range"),
        ("ten", "is no IPv4 range"),
        ("fd00::/64", "is no IPv4 range"),
        ("10.20.0.1/16", "10.20.0.0/16 is meant"),
        ("8.8.0.0/16", "is not private"),
        ("0.0.0.0/0", "is not private"),
    ],
)
def test_a_bad_range_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PRIVATE.validate_python(text)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "0.0.0.0/1", "203.0.0.0/8"])
def test_a_source_may_be_public_but_not_wide(text: str) -> None:
    assert SOURCE.validate_python("203.0.113.0/24") == IPv4Network("203.0.113.0/24")
    with pytest.raises(ValidationError, match="too wide"):
        SOURCE.validate_python(text)


def test_two_ranges_that_overlap_are_named() -> None:
    ranges = [("network", IPv4Network("10.20.0.0/16")), ("services", IPv4Network("10.20.128.0/20"))]
    with pytest.raises(ValueError, match=r"network \(10.20.0.0/16\) and services \(10.20.128.0/20\) overlap"):
        expect_apart(ranges)
    expect_apart([ranges[0], ("services", IPv4Network("10.21.0.0/20"))])


def test_a_range_of_a_wrong_size_is_refused_with_the_bounds() -> None:
    expect_size("network", IPv4Network("10.20.0.0/18"), 16, 20)
    with pytest.raises(ValueError, match="between /16 and /20"):
        expect_size("network", IPv4Network("10.20.0.0/24"), 16, 20)


def test_parts_of_zones_are_within_the_network_and_apart() -> None:
    network = IPv4Network("10.20.0.0/16")
    parts = by_zone(network, ["a", "b", "c"])
    ranges = [(f"{part.zone} {side}", getattr(part, side)) for part in parts for side in ("private", "public")]
    assert len(ranges) == 6
    expect_apart(ranges)
    assert all(each.subnet_of(network) for _, each in ranges)
    assert all(part.private.num_addresses > part.public.num_addresses for part in parts)


def test_a_third_zone_does_not_move_the_first_two() -> None:
    network = IPv4Network("10.20.0.0/16")
    assert by_zone(network, ["a", "b", "c"])[:2] == by_zone(network, ["a", "b"])
