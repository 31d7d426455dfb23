"""One line of JSON per event, and no field that could be a secret."""

import json
import logging
import sys
from typing import Any

import pytest

from taskservice.kit.logging import JsonFormatter, event


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
