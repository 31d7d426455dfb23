"""One JSON line per event on standard output: a static event name, and fields.

Call `event(log, "task_created", owner=...)`. Field names that could carry a secret are blanked whatever they
hold; request and response bodies are never logged.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from taskservice.kit import trace_context

# What no line shows need not be found out for each (the Optimization section of Python's logging guide).
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "private_key", "credential")


def event(log: logging.Logger, name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Logs one event; `name` is static, everything that varies is a field."""
    if log.isEnabledFor(level):
        # Not by `log.log`, which finds out where it was called: no line shows that.
        record = logging.LogRecord(log.name, level, "", 0, name, None, None)
        record.fields = fields
        log.handle(record)


class JsonFormatter(logging.Formatter):
    """LogRecord to one line of JSON, with the service's identity on every line."""

    def __init__(self, **identity: str) -> None:
        super().__init__()
        self._identity = identity

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **self._identity,
        }
        if context := trace_context.current():
            line |= {"trace_id": context.trace_id, "span_id": context.span_id}
        for key, value in getattr(record, "fields", {}).items():
            line[key] = "[redacted]" if _may_be_secret(key) else value
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["stack"] = self.formatException(record.exc_info)
        try:
            return to_json(line, fallback=str, inf_nan_mode="null").decode()
        except ValueError:  # text that is no Unicode, from a client
            return json.dumps(line, default=str)


@lru_cache(1000)
def _may_be_secret(key: str) -> bool:
    return any(word in key.lower() for word in SECRET_WORDS)


def configure(level: str, **identity: str) -> None:
    """Sends every logger of the process to standard output as JSON. Called once, by `__main__`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(**identity))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("pymongo", "httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
