"""What is told of a run: how far it is, what was changed, what went wrong."""

from __future__ import annotations

import io
import time
from typing import Any

from pulumi.automation import EngineEvent

from taskservice_infra.automation.progress import Tally, summary, telling


def event(kind: str, **fields: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: fields})


def metadata(op: str, name: str, kind: str = "kubernetes:apps/v1:StatefulSet") -> dict[str, Any]:
    urn = f"urn:pulumi:local::data::taskservice:data:Redis${kind}::{name}"
    return {"metadata": {"op": op, "urn": urn, "type": kind, "provider": ""}}


def test_it_counts_what_is_done_and_names_what_is_under_way() -> None:
    tally = Tally()
    tally.take(event("resourcePreEvent", **metadata("create", "redis")))
    tally.take(event("resourcePreEvent", **metadata("create", "mongodb")))
    assert tally.line() == "0 of 2 resources, creating StatefulSet redis, creating StatefulSet mongodb"
    tally.take(event("resOutputsEvent", **metadata("create", "redis")))
    assert tally.line() == "1 of 2 resources, creating StatefulSet mongodb"


def test_what_stays_as_it_is_counts_and_is_not_named() -> None:
    tally = Tally()
    tally.take(event("resourcePreEvent", **metadata("same", "redis")))
    assert tally.line() == "0 of 1 resources"
    assert tally.planned == []


def test_a_long_list_is_cut() -> None:
    tally = Tally()
    for number in range(5):
        tally.take(event("resourcePreEvent", **metadata("create", f"r{number}")))
    assert tally.line().endswith("creating StatefulSet r2 and 2 more")


def test_errors_are_kept_with_what_they_are_about() -> None:
    tally = Tally()
    urn = metadata("create", "redis")["metadata"]["urn"]
    tally.take(event("diagnosticEvent", urn=urn, severity="error", message="no such image\n", color="never"))
    tally.take(event("diagnosticEvent", severity="warning", message="old", color="never"))
    assert tally.problems == ["StatefulSet redis: no such image"]


def test_the_engines_own_count_is_the_summary() -> None:
    tally = Tally()
    tally.take(event("summaryEvent", resourceChanges={"same": 4, "update": 1, "create": 0}))
    assert summary(tally.changes) == "1 changed, 4 unchanged"
    assert summary({}) == "nothing to do"


def test_lines_are_told_while_something_goes_on() -> None:
    out, tally = io.StringIO(), Tally()
    tally.take(event("resourcePreEvent", **metadata("create", "redis")))
    with telling("data", tally, out, every=0.01):
        end = time.monotonic() + 10
        while not out.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert "data: 0 s, 0 of 1 resources, creating StatefulSet redis" in out.getvalue()
