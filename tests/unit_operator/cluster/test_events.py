"""Events: one per change, counted when it repeats, never a reason to fail."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.cluster.errors import Transient
from taskservice_operator.cluster.events import AGGREGATION_SECONDS, EventRecorder
from taskservice_operator.core.model import Note

pytestmark = pytest.mark.anyio

TASKSERVICE = {"metadata": {"name": "demo", "namespace": "default", "uid": "u1"}}


class Server:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.now = 0.0
        self.is_down = False

    async def __call__(self, method: str, path: str, *, body: Any, content_type: str) -> None:
        if self.is_down:
            raise Transient("no answer")
        self.sent.append((method, body))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def recorder(server: Server) -> EventRecorder:
    return EventRecorder(server, clock=lambda: server.now)


async def test_a_repeated_event_is_counted_and_a_different_one_is_new(recorder: EventRecorder, server: Server) -> None:
    for message in ("one", "one", "two"):
        await recorder.record(TASKSERVICE, Note("Reason", message))
    assert [method for method, _ in server.sent] == ["POST", "PATCH", "POST"]
    assert server.sent[1][1]["count"] == 2


async def test_after_ten_minutes_a_new_one_is_written(recorder: EventRecorder, server: Server) -> None:
    await recorder.record(TASKSERVICE, Note("Reason", "one"))
    server.now += AGGREGATION_SECONDS + 1
    await recorder.record(TASKSERVICE, Note("Reason", "one"))
    assert [method for method, _ in server.sent] == ["POST", "POST"]


async def test_it_tells_of_warnings_and_bounds_the_message(recorder: EventRecorder, server: Server) -> None:
    await recorder.record(TASKSERVICE, Note("Reason", "x" * 5000, warning=True))
    [(_, event)] = server.sent
    assert event["type"] == "Warning"
    assert len(event["message"]) <= 1024


async def test_a_server_that_is_down_fails_nothing(recorder: EventRecorder, server: Server) -> None:
    server.is_down = True
    await recorder.record(TASKSERVICE, Note("Reason", "one"))
