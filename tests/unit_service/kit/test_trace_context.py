"""The trace that a caller names is followed, and nonsense is not."""

import pytest

from taskservice.kit import trace_context
from taskservice.kit.trace_context import TraceContext

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("02", False)])
def test_a_header_is_read(flags: str, sampled: bool) -> None:
    assert trace_context.parse(f"00-{TRACE}-{SPAN}-{flags}") == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "hunter2",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-0",
    ],
)
def test_nonsense_is_no_trace(header: str | None) -> None:
    with trace_context.following(header):
        assert trace_context.current() is None
        assert trace_context.outgoing() == {}


def test_a_later_version_may_say_more() -> None:
    assert trace_context.parse(f"01-{TRACE}-{SPAN}-01-more") == TraceContext(TRACE, SPAN, True)


def test_what_came_in_goes_out_and_ends_with_its_block() -> None:
    header = f"00-{TRACE}-{SPAN}-01"
    with trace_context.following(header):
        assert trace_context.outgoing() == {"traceparent": header}
        with trace_context.following(None):
            assert trace_context.current() is None
        assert trace_context.outgoing() == {"traceparent": header}
    assert trace_context.current() is None


def test_a_trace_that_nobody_records_goes_out_by_ourselves_although_spans_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace_context, "current_span", lambda: TraceContext("1" * 32, "2" * 16, True))
    apart = trace_context.fresh()
    assert trace_context.parse(apart.header) == apart
    assert not apart.sampled
    with trace_context.unrecorded(apart):
        assert trace_context.current() == apart
        assert not trace_context.recording()
        assert trace_context.outgoing() == {"traceparent": apart.header}
    assert trace_context.recording()
    assert trace_context.outgoing() == {}


def test_a_span_of_our_own_comes_before_what_the_caller_said(monkeypatch: pytest.MonkeyPatch) -> None:
    own = TraceContext("1" * 32, "2" * 16, True)
    monkeypatch.setattr(trace_context, "current_span", lambda: own)
    with trace_context.following(f"00-{TRACE}-{SPAN}-01"):
        assert trace_context.current() == own
