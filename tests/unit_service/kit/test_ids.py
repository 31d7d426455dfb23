"""Identifiers sort by time and are valid UUIDs of version 7."""

import uuid

from taskservice.kit.ids import compose, new_id


def test_later_sorts_higher_whatever_the_noise() -> None:
    assert compose(1_000, b"\xff" * 10) < compose(1_001, b"\x00" * 10)
    assert compose(2**47, b"\x00" * 10) > compose(2**47 - 1, b"\xff" * 10)


def test_they_are_version_7() -> None:
    parsed = uuid.UUID(new_id())
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_they_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
