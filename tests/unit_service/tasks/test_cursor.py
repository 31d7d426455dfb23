"""A cursor goes round, for the list it was made for, and nothing else is taken for one."""

import base64

import pytest

from taskservice.kit.ids import new_id
from taskservice.tasks.cursor import MAC_BYTES, MAX_CHARACTERS, Cursors
from taskservice.tasks.errors import BadCursor
from taskservice.tasks.listing import MAX_TITLE_KEY

CURSORS = Cursors(b"key")
POSITION = "000001763900000/" + new_id()


def raw(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


@pytest.mark.parametrize("position", [POSITION, "straße\x00" + new_id(), "日本語 👩\u200d🚀\x00" + new_id()], ids=ascii)
def test_round_trip(position: str) -> None:
    cursor = CURSORS.encode(position, "list")
    assert CURSORS.decode(cursor, "list") == position
    assert Cursors(b"key").decode(cursor, "list") == position  # another replica
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&? ")


def test_the_longest_position_makes_a_cursor_that_is_accepted() -> None:
    longest = "\U0001f680" * MAX_TITLE_KEY + "\x00" + new_id()
    assert len(CURSORS.encode(longest, "list")) <= MAX_CHARACTERS


def test_a_cursor_of_another_list_or_key_is_refused() -> None:
    for cursors, identity in ((CURSORS, "other"), (Cursors(b"other"), "list")):
        with pytest.raises(BadCursor):
            CURSORS.decode(cursors.encode(POSITION, identity), "list")


def test_no_bit_of_a_cursor_can_be_changed() -> None:
    whole = raw(CURSORS.encode(POSITION, "list"))
    for index in range(len(whole)):
        changed = whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :]
        with pytest.raises(BadCursor):
            CURSORS.decode(base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), "list")


def test_one_position_has_one_spelling() -> None:
    cursor = CURSORS.encode("abc", "list")
    assert len(cursor) % 4  # the last character has bits that mean nothing
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [cursor[:-1] + last for last in alphabet if raw(cursor[:-1] + last) == raw(cursor)]
    assert len(spellings) > 1
    for spelling in spellings:
        if spelling != cursor:
            with pytest.raises(BadCursor):
                CURSORS.decode(spelling, "list")


@pytest.mark.parametrize("cursor", ["", "!", "a", "é", "\x00", "AAAA====", "A" * 22, "A" * 2048, "AA\nAA"], ids=ascii)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        CURSORS.decode(cursor, "list")


def test_a_position_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadCursor):
        CURSORS.decode(base64.urlsafe_b64encode(b"\xff" * (MAC_BYTES + 2)).decode(), "list")
