"""Which trace the work at hand belongs to (W3C Trace Context), whether or not this process records spans itself.

The context comes in with a request, a call or an event, is on every log line, and goes out with whatever is asked of
others. When tracing is on, `kit.tracing` sets `current_span` and the span decides. It also decides at the edge, before
anything is recorded, which requests are not sampled: those are treated as if tracing was off (`unrecorded`).
"""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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


UNRECORDED = "taskservice.unrecorded"
"""Where the scope of a request keeps the context of a trace that was decided not to be recorded."""

_incoming: ContextVar[TraceContext | None] = ContextVar("incoming_trace", default=None)
_unrecorded: ContextVar[bool] = ContextVar("unrecorded", default=False)

current_span: Callable[[], TraceContext | None] | None = None
"""Set by `kit.tracing` when spans are recorded."""

without_spans: Callable[[], AbstractContextManager[None]] = nullcontext
"""Set by `kit.tracing`: a block in which the instrumentations do nothing."""


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


def fresh() -> TraceContext:
    """A trace that begins here and is not sampled."""
    return TraceContext(f"{random.getrandbits(128) | 1:032x}", f"{random.getrandbits(64) | 1:016x}")


@contextmanager
def unrecorded(context: TraceContext) -> Iterator[None]:
    """Within the block, work belongs to this trace and no span is made of it: the context itself is sent along."""
    incoming, quiet = _incoming.set(context), _unrecorded.set(True)
    try:
        with without_spans():
            yield
    finally:
        _unrecorded.reset(quiet)
        _incoming.reset(incoming)


def current() -> TraceContext | None:
    """Where we are: the current span, else what the caller said."""
    return _span() or _incoming.get()


def recording() -> bool:
    """Whether this process records spans, and the work at hand is sampled."""
    span = _span()
    return span is not None and span.sampled


def _span() -> TraceContext | None:
    return current_span() if current_span is not None and not _unrecorded.get() else None


def outgoing() -> dict[str, str]:
    """Headers or metadata to send along; empty when there is no trace, or when instrumented clients send them."""
    context = current() if current_span is None or _unrecorded.get() else None
    return {HEADER: context.header} if context else {}
