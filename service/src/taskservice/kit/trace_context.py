"""Which trace the work at hand belongs to (W3C Trace Context), whether or not this process records spans itself.

The context comes in with a request, a call or an event, is on every log line, and goes out with whatever is asked of
others. When tracing is on, `kit.tracing` sets `current_span` and the span decides; nothing else here changes.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER = "traceparent"
HEADER_BYTES = HEADER.encode()
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True)
class TraceContext:
    """One place in a trace."""

    trace_id: str
    span_id: str
    sampled: bool = False

    @property
    def header(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_incoming: ContextVar[TraceContext | None] = ContextVar("incoming_trace", default=None)

current_span: Callable[[], TraceContext | None] | None = None
"""Set by `kit.tracing` when spans are recorded."""


def parse(header: str | None) -> TraceContext | None:
    """The context that a `traceparent` names; None if there is none or it is malformed."""
    found = _FORM.match(header) if header and len(header) >= 55 else None
    if found is None or (len(header or "") > 55 and (header or "")[:2] == "00"):
        return None
    return TraceContext(found[1], found[2], bool(int(found[3], 16) & 1))


@contextmanager
def following(header: str | None) -> Iterator[None]:
    """Within the block, work belongs to the trace that the caller named, if any."""
    token = _incoming.set(parse(header) if header else None)
    try:
        yield
    finally:
        _incoming.reset(token)


def current() -> TraceContext | None:
    """Where we are: the current span, else what the caller said."""
    span = current_span() if current_span is not None else None
    return span or _incoming.get()


def recording() -> bool:
    """Whether this process records spans, and the work at hand is sampled."""
    span = current_span() if current_span is not None else None
    return span is not None and span.sampled


def outgoing() -> dict[str, str]:
    """Headers or metadata to send along; empty when there is no trace, or when instrumented clients send them."""
    context = current() if current_span is None else None
    return {HEADER: context.header} if context else {}
