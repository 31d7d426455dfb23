"""An event survives its encoding, and what is no event is refused with a sentence."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from taskservice.kit.events import MAX_BYTES, Event, InvalidEvent, decode, encode
from taskservice.kit.outbox import MemoryOutbox

pytestmark = pytest.mark.anyio


def an_event(**fields: Any) -> Event:
    values: dict[str, Any] = {
        "type": "task.created",
        "subject": "t1",
        "sequence": 1,
        "owner": "ann",
        "actor": "ann",
        "occurred_at": datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC),
    }
    return Event(**values | fields)


@pytest.mark.parametrize(
    "event",
    [
        an_event(),
        an_event(data={"task": {"title": "日本語", "due_at": None}}, version=3, sequence=2**53 - 1),
        an_event(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ],
)
def test_an_event_comes_back_as_it_was_sent(event: Event) -> None:
    assert decode(encode(event)) == event


def test_times_are_sent_in_utc() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=5)))
    assert json.loads(encode(an_event(occurred_at=noon)))["occurred_at"] == "2026-11-23T07:00:00.000+00:00"


def test_a_member_that_is_not_known_is_ignored() -> None:
    event = an_event()
    assert decode(json.dumps(json.loads(encode(event)) | {"colour": "blue"}).encode()) == event


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": ""}, "type must be printable text"),
        ({"subject": "x" * 129}, "subject must be printable text"),
        ({"actor": "a\nb"}, "actor must be printable text"),
        ({"owner": 7}, "owner must be printable text"),
        ({"traceparent": ""}, "traceparent must be printable text"),
        ({"sequence": 0}, "sequence must be a whole number from 1"),
        ({"sequence": True}, "sequence must be a whole number from 1"),
        ({"version": 1.0}, "version must be a whole number from 1"),
        ({"version": 2**53}, "version must be a whole number from 1"),
        ({"occurred_at": datetime(2026, 11, 23)}, "occurred_at must be a time with its offset"),
        ({"data": []}, "data must be an object"),
    ],
)
def test_an_envelope_that_says_nothing_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        an_event(**fields)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"text": "x" * MAX_BYTES}, f"more than {MAX_BYTES}"),
        ({"when": datetime.now(UTC)}, "is not JSON"),
        ({"share": float("nan")}, "is not JSON"),
    ],
)
async def test_data_that_cannot_be_sent_is_refused_where_it_is_made(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        encode(an_event(data=data))
    outbox = MemoryOutbox()
    with pytest.raises(InvalidEvent):
        await outbox.append(None, [an_event(), an_event(data=data)])
    assert outbox.events == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "more than"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "the event has no id"),
        (encode(an_event()).replace(b'"2026-', b'"x2026-'), "RFC 3339"),
        (encode(an_event()).replace(b'"sequence":1', b'"sequence":"1"'), "sequence must be"),
        (encode(an_event()).replace(b'"data":{}', b'"data":[]'), "data must be an object"),
    ],
)
def test_a_message_that_is_no_event_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        decode(body)
