"""What happened, as one message: an envelope that every event has, and data that its type defines.

The types and their data are listed in docs/events.md. Encoding and decoding are bounded both ways; a decoder
ignores members it does not know, so that a producer may add some without a new schema version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from taskservice.kit.ids import new_id

MAX_BYTES = 64 * 1024
MAX_NAME = 128


class InvalidEvent(ValueError):
    """This is not an event that can be sent or understood; the text says what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to one subject.

    `subject` is what the order is about: events of one subject are delivered by growing `sequence`. The sequence
    comes from a counter in the subject's own document, incremented in the transaction that appends the event:
    concurrent writers of that document exclude each other, so that the sequence grows in the order of the commits.
    """

    type: str  # such as "task.created"
    subject: str
    sequence: int
    owner: str
    actor: str
    occurred_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1  # of the schema of data; a higher one may not be understood by who knows this one
    id: str = field(default_factory=new_id)
    traceparent: str | None = None  # W3C Trace Context of the request that made it happen

    def __post_init__(self) -> None:
        for name in ("type", "subject", "owner", "actor", "id"):
            _name(name, getattr(self, name))
        for name in ("sequence", "version"):
            _positive(name, getattr(self, name))
        if self.traceparent is not None:
            _name("traceparent", self.traceparent)
        if not isinstance(self.occurred_at, datetime) or self.occurred_at.tzinfo is None:
            raise InvalidEvent("occurred_at must be a time with its offset")
        if not isinstance(self.data, Mapping):
            raise InvalidEvent("data must be an object")


def encode(event: Event) -> bytes:
    """The event as JSON. Raises InvalidEvent when it is too large or holds what JSON cannot say."""
    document = {
        "id": event.id,
        "type": event.type,
        "version": event.version,
        "subject": event.subject,
        "sequence": event.sequence,
        "owner": event.owner,
        "actor": event.actor,
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "data": dict(event.data),
    }
    if event.traceparent is not None:
        document["traceparent"] = event.traceparent
    try:
        body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"the data of {event.type} is not JSON: {error}") from None
    if len(body) > MAX_BYTES:
        raise InvalidEvent(f"an event of {event.type} has {len(body)} bytes, more than {MAX_BYTES}")
    return body


def decode(body: bytes) -> Event:
    """The event that `encode` wrote. Raises InvalidEvent."""
    if len(body) > MAX_BYTES:
        raise InvalidEvent(f"a message of {len(body)} bytes is no event: more than {MAX_BYTES}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidEvent("the message is not JSON") from None
    if not isinstance(document, dict):
        raise InvalidEvent("the message is not a JSON object")
    try:
        return Event(
            **{name: document[name] for name in _REQUIRED},
            occurred_at=datetime.fromisoformat(document["occurred_at"]),
            traceparent=document.get("traceparent"),
        )
    except KeyError as missing:
        raise InvalidEvent(f"the event has no {missing.args[0]}") from None
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidEvent):
            raise
        raise InvalidEvent("occurred_at must be an RFC 3339 time") from None


_REQUIRED = ("id", "type", "version", "subject", "sequence", "owner", "actor", "data")


def _name(name: str, value: object) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise InvalidEvent(f"{name} must be printable text of 1 to {MAX_NAME} characters")


def _positive(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**53:
        raise InvalidEvent(f"{name} must be a whole number from 1")
