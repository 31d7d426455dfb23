"""One line of JSON per event, and no field that could be a secret."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from taskservice.kit import trace_context
from taskservice.kit.logging import JsonFormatter, TurnHandler, event


@pytest.fixture
def formatter() -> JsonFormatter:
    return JsonFormatter(service="auth", revision="r1")


def logged(formatter: JsonFormatter, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    line = formatter.format(caplog.records[-1])
    assert "\n" not in line
    return json.loads(line)


def test_a_line_carries_identity_and_fields(formatter: JsonFormatter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    event(logging.getLogger("t"), "task_created", owner="ü\n")
    line = logged(formatter, caplog)
    assert line["event"] == "task_created"
    assert (line["service"], line["revision"], line["owner"]) == ("auth", "r1", "ü\n")


@pytest.mark.parametrize("value", ["\ud800", b"\xff", float("nan"), {"a", "b"}, ValueError("no"), object])
def test_whatever_a_field_holds_is_a_line_of_json(
    value: object, formatter: JsonFormatter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    event(logging.getLogger("t"), "x", found=value)
    assert "NaN" not in formatter.format(caplog.records[-1])
    assert "found" in logged(formatter, caplog)


@pytest.mark.parametrize("name", ["password", "access_token", "Authorization", "jwt_private_key", "x_secret"])
def test_secret_names_are_blanked(name: str, formatter: JsonFormatter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fields: dict[str, Any] = {name: "hunter2"}
    event(logging.getLogger("t"), "x", **fields)
    assert logged(formatter, caplog)[name] == "[redacted]"


def test_a_stack_stays_on_the_line(formatter: JsonFormatter) -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        record = logging.LogRecord("t", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    line = formatter.format(record)
    assert "\n" not in line
    assert json.loads(line)["error"] == "RuntimeError"


def test_a_disabled_level_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    event(logging.getLogger("t"), "x")
    assert not caplog.records


def test_fields_that_would_stand_twice_stand_once(formatter: JsonFormatter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fields: dict[str, Any] = {"service": "other", "trace_id": "x", "event": "renamed"}
    event(logging.getLogger("t"), "x", **fields)
    line = formatter.format(caplog.records[-1])
    assert [line.count(f'"{name}":') for name in fields] == [1, 1, 1]
    assert json.loads(line)["service"] == "other"


def test_short_and_long_way_make_the_same_line(formatter: JsonFormatter, caplog: pytest.LogCaptureFixture) -> None:
    """An argument, which changes nothing here, makes the formatter go the long way."""
    caplog.set_level("INFO")
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    for header in (None, f"00-{trace}-{span}-01"):
        for fields in ({}, {"route": "/v1/täsks", "status": 200, "duration_ms": 1.25}):
            with trace_context.following(header):
                event(logging.getLogger("t.u"), 'a "name"', logging.WARNING, **fields)
                record = caplog.records[-1]
                short = formatter.format(record)
                record.args = ("unused",)
                record.getMessage = lambda: 'a "name"'
                assert json.loads(short) == json.loads(formatter.format(record))
                assert list(json.loads(short)) == list(json.loads(formatter.format(record)))


@pytest.mark.parametrize("created", [0.0, 1.9999, 1790000000.0, 1790000000.1239, 1790000000.9999])
def test_the_time_is_to_the_millisecond(created: float, formatter: JsonFormatter) -> None:
    record = logging.LogRecord("t", logging.INFO, __file__, 1, "x", (), None)
    record.created = created
    moment = datetime.fromisoformat(json.loads(formatter.format(record))["ts"])
    assert moment.tzinfo is not None
    assert 0 <= created - moment.timestamp() < 0.001 + 1e-6


def test_every_record_tells_its_own_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for number in range(2):
        before = time.time()
        event(logging.getLogger("t"), "again", number=number)
        assert before <= caplog.records[-1].created <= time.time()
    first, second = caplog.records
    assert [record.__dict__["fields"] for record in (first, second)] == [{"number": 0}, {"number": 1}]
    assert second.relativeCreated >= first.relativeCreated
    assert (second.name, second.levelname, second.getMessage()) == ("t", "INFO", "again")


@pytest.fixture
def alone() -> Iterator["Written"]:
    """What is written when the handler of `configure` is the only one."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = Written()
    handler = TurnHandler(stream)
    handler.setFormatter(JsonFormatter(service="auth"))
    root.handlers[:] = [handler]
    root.setLevel("INFO")
    yield stream
    root.handlers[:], root.level = before


def test_an_event_is_the_same_line_with_and_without_a_record(alone: "Written") -> None:
    log = logging.getLogger("t.without")
    fields: dict[str, Any] = {"route": "/v1/täsks", "status": 200, "token": "hunter2", "odd": {"a"}}
    with trace_context.following("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        event(log, "asked", logging.WARNING, **fields)
        heard = Heard()
        log.addHandler(heard)
        try:
            event(log, "asked", logging.WARNING, **fields)
        finally:
            log.removeHandler(heard)
    first, second = (json.loads(line) for line in "".join(alone.writes).splitlines())
    assert len(heard.records) == 1, "the second event was a record"
    assert first.pop("ts") <= second.pop("ts")
    assert first == second
    assert first["token"] == "[redacted]"
    assert first["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


class Heard(logging.Handler):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.mark.parametrize("place", ["t", "t.inner"])
def test_whoever_else_listens_hears_too(place: str, alone: "Written") -> None:
    heard, listening = Heard(), logging.getLogger(place)
    listening.addHandler(heard)
    try:
        event(logging.getLogger("t.inner"), "asked")
    finally:
        listening.removeHandler(heard)
    assert [record.getMessage() for record in heard.records] == ["asked"]
    assert len(alone.writes) == 1


def test_a_filter_is_asked(alone: "Written") -> None:
    log = logging.getLogger("t.filtered")

    def refuse(record: logging.LogRecord) -> bool:
        return record.getMessage() != "unwanted"

    log.addFilter(refuse)
    try:
        event(log, "unwanted")
        event(log, "wanted")
    finally:
        log.removeFilter(refuse)
    assert [json.loads(line)["event"] for line in alone.writes] == ["wanted"]


def test_a_logger_that_keeps_to_itself_is_not_heard(alone: "Written") -> None:
    log = logging.getLogger("t.private")
    log.propagate = False
    heard = Heard()
    log.addHandler(heard)
    try:
        event(log, "asked")
    finally:
        log.removeHandler(heard)
        log.propagate = True
    assert len(heard.records) == 1
    assert alone.writes == []


def test_a_stream_that_is_gone_is_no_error_of_the_caller(alone: "Written", capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: str) -> int:
        raise BrokenPipeError

    alone.write = broken  # pyright: ignore[reportAttributeAccessIssue]
    event(logging.getLogger("t"), "asked")
    assert "BrokenPipeError" in capsys.readouterr().err


class Written(io.StringIO):
    """A stream that keeps every write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


@pytest.fixture
def written() -> Iterator[Written]:
    stream = Written()
    handler = TurnHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("turns")
    log.addHandler(handler)
    log.setLevel("INFO")
    yield stream
    log.removeHandler(handler)
    log.setLevel("NOTSET")


def say(name: str, level: int = logging.INFO) -> None:
    event(logging.getLogger("turns"), name, level)


@pytest.mark.anyio
async def test_lines_of_one_turn_of_the_loop_are_one_write(written: Written) -> None:
    say("one")
    say("two")
    assert written.writes == []
    await asyncio.sleep(0)
    assert written.writes == ["one\ntwo\n"]
    say("three")
    await asyncio.sleep(0)
    assert written.writes == ["one\ntwo\n", "three\n"]


@pytest.mark.anyio
async def test_what_is_worse_than_information_is_written_at_once_after_what_was_before(written: Written) -> None:
    say("one")
    say("two", logging.ERROR)
    assert written.writes == ["one\ntwo\n"]
    await asyncio.sleep(0)
    assert written.writes == ["one\ntwo\n"]


def test_without_a_loop_every_line_is_written_at_once(written: Written) -> None:
    say("one")
    say("two")
    assert written.writes == ["one\n", "two\n"]


def test_lines_of_a_turn_that_never_came_are_written_with_the_next(written: Written) -> None:
    class Stopped(asyncio.SelectorEventLoop):
        """A loop that ends before what it was to do next."""

        def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
            handle = super().call_soon(callback, *args, context=context)
            if getattr(callback, "__name__", "") == "flush":
                handle.cancel()
            return handle

    async def only() -> None:
        say("one")

    with asyncio.Runner(loop_factory=Stopped) as runner:
        runner.run(only())
        assert written.writes == []
    say("two")
    assert written.writes == ["one\ntwo\n"]


@pytest.mark.anyio
async def test_a_thread_without_a_loop_does_not_wait_for_it(written: Written) -> None:
    say("one")
    await asyncio.to_thread(say, "two")
    assert "".join(written.writes) == "one\ntwo\n"


ENDS = """
import asyncio, sys
from taskservice.kit import logging
import logging as standard
logging.configure("INFO", service="ends")
async def main():
    for number in range(3):
        logging.event(standard.getLogger("t"), f"event {number}")
    sys.exit(3)
asyncio.run(main())
"""


def test_nothing_is_lost_when_the_process_exits() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["event 0", "event 1", "event 2"]
