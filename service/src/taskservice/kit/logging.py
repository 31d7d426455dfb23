"""One JSON line per event on standard output: a static event name, and fields.

Call `event(log, "task_created", owner=...)`. Field names that could carry a secret are blanked whatever they
hold; request and response bodies are never logged.

Every request is a line, so a line must be cheap. What all lines of one event share is made once and kept, and the lines
of one turn of the event loop are one write.
"""

import asyncio
import json
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from pydantic_core import to_json

from taskservice.kit import trace_context

# What no line shows need not be found out for each (the Optimization section of Python's logging guide).
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "private_key", "credential")
MOST_KEPT = 1000


def event(log: logging.Logger, name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Logs one event; `name` is static, everything that varies is a field."""
    if not log.isEnabledFor(level):
        return
    # A record is for handlers that are not ours: making one costs as much as the line.
    alone = _only_handler(log, level)
    if alone is None or not alone.tell(log.name, level, name, fields):
        # Not by `log.log`, which finds out where it was called: no line shows that.
        record = logging.LogRecord(log.name, level, "", 0, name, None, None)
        record.fields = fields
        log.handle(record)


def _only_handler(log: logging.Logger, level: int) -> "TurnHandler | None":
    """The handler that `configure` made, if nothing else hears or filters what this logger says."""
    here = log
    while not here.handlers and not here.filters and here.propagate and here.parent is not None:
        here = here.parent
    if here.parent is not None or here.filters or len(here.handlers) != 1:
        return None
    handler = here.handlers[0]
    return handler if type(handler) is TurnHandler and handler.level <= level and not handler.filters else None


class JsonFormatter(logging.Formatter):
    """LogRecord to one line of JSON, with the service's identity on every line."""

    def __init__(self, **identity: str) -> None:
        super().__init__()
        self._identity = identity
        self._beginning = lru_cache(MOST_KEPT)(self._begin)
        self._plain = lru_cache(MOST_KEPT)(self._are_plain)
        self._second = (-1, "")

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        if not record.args and not record.exc_info and isinstance(record.msg, str):
            return self.line(record.created, record.levelname, record.name, record.msg, fields)
        line = self._whole(record.created, record.levelname, record.name, record.getMessage(), fields)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["stack"] = self.formatException(record.exc_info)
        return _text(line)

    def line(self, created: float, level: str, logger: str, name: str, fields: dict[str, Any]) -> str:
        """The line of an event at a time in seconds of the epoch."""
        if not self._plain(tuple(fields)):
            return _text(self._whole(created, level, logger, name, fields))
        # The same line, of which only what varies is made now.
        line = f'{{"ts":"{self._moment(created)}"{self._beginning(level, logger, name)}'
        if context := trace_context.current():
            line += f',"trace_id":"{context.trace_id}","span_id":"{context.span_id}"'
        return f"{line},{_text(fields)[1:]}" if fields else line + "}"

    def _whole(self, created: float, level: str, logger: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        line: dict[str, Any] = {
            "ts": self._moment(created),
            "level": level.lower(),
            "logger": logger,
            "event": name,
            **self._identity,
        }
        if context := trace_context.current():
            line |= {"trace_id": context.trace_id, "span_id": context.span_id}
        for key, value in fields.items():
            line[key] = "[redacted]" if _may_be_secret(key) else value
        return line

    def _begin(self, level: str, logger: str, name: str) -> str:
        """What lines of one event have in common, after their time."""
        return "," + _text({"level": level.lower(), "logger": logger, "event": name, **self._identity})[1:-1]

    def _are_plain(self, names: tuple[str, ...]) -> bool:
        """Whether fields of these names stand on a line as they are, beside everything else."""
        taken = {"ts", "level", "logger", "event", "trace_id", "span_id", *self._identity}
        return not any(name in taken or _may_be_secret(name) for name in names)

    def _moment(self, created: float) -> str:
        second, shown = self._second
        if second != int(created):
            second, shown = int(created), datetime.fromtimestamp(int(created), UTC).isoformat()
            self._second = second, shown
        return f"{shown[:19]}.{int((created - second) * 1000):03d}{shown[19:]}"


def _text(line: dict[str, Any]) -> str:
    try:
        return to_json(line, fallback=str, inf_nan_mode="null").decode()
    except ValueError:  # text that is no Unicode, from a client
        return json.dumps(line, default=str, separators=(",", ":"))


def _may_be_secret(key: str) -> bool:
    return any(word in key.lower() for word in SECRET_WORDS)


class TurnHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of one turn of the event loop together, at the beginning of the next one.

    Whatever is worse than information is written at once, with what was before it; so is every line where no loop
    runs. `logging` writes the rest when the process exits; only a process that is killed takes a turn's lines along.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._turn: asyncio.AbstractEventLoop | None = None

    def tell(self, logger: str, level: int, name: str, fields: dict[str, Any]) -> bool:
        """Writes an event as `handle` would its record. False, and nothing is written, where a record is needed."""
        if not isinstance(self.formatter, JsonFormatter):
            return False
        self.acquire()
        try:
            line = self.formatter.line(time.time(), logging.getLevelName(level), logger, name, fields)
            self._say(line, level)
        except Exception:
            self.handleError(logging.LogRecord(logger, level, "", 0, name, None, None))
        finally:
            self.release()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._say(self.format(record), record.levelno)
        except Exception:
            self.handleError(record)

    def _say(self, line: str, level: int) -> None:
        self._lines.append(line)
        if level > logging.INFO or not self._flushed_next_turn():
            self.flush()

    def _flushed_next_turn(self) -> bool:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._turn is not loop:
            loop.call_soon(self.flush)
            self._turn = loop
        return True

    def flush(self) -> None:
        self.acquire()
        try:
            lines, self._lines, self._turn = self._lines, [], None
            if lines:
                self.stream.write("\n".join(lines) + self.terminator)
            super().flush()
        finally:
            self.release()


def configure(level: str, **identity: str) -> None:
    """Sends every logger of the process to standard output as JSON. Called once, by `__main__`."""
    handler = TurnHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(**identity))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("pymongo", "httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
