"""A cursor goes round, and nothing else is taken for one."""

import base64

import pytest

from taskservice.kit.ids import new_id
from taskservice.tasks.cursor import decode, encode
from taskservice.tasks.errors import BadCursor


def test_round_trip() -> None:
    task_id = new_id()
    cursor = encode(task_id)
    assert decode(cursor) == task_id
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&? ")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "a",
        "é",
        "\x00",
        "AAAA====",
        base64.urlsafe_b64encode(b"1:").decode(),
        base64.urlsafe_b64encode(b"1:not-an-id").decode(),
        base64.urlsafe_b64encode(b"2:" + new_id().encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(new_id().encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(b"1:" + new_id().upper().encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(b'1:{"$gt":""}').decode().rstrip("="),
    ],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode(cursor)
