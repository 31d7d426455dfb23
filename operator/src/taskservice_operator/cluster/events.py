"""Kubernetes Events about a TaskService, as the change they are: repeated ones are counted, not repeated."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from taskservice_operator.api import names
from taskservice_operator.api.status import format_time
from taskservice_operator.cluster.errors import ClusterError, NotFound
from taskservice_operator.cluster.kinds import EVENT
from taskservice_operator.cluster.port import Manifest
from taskservice_operator.core.model import Note

AGGREGATION_SECONDS = 600.0
REMEMBERED = 4096
MESSAGE_LIMIT = 1000
"""The API server refuses messages of more than 1024 bytes."""

log = logging.getLogger(__name__)


class EventApi(Protocol):
    """The one request we need."""

    def __call__(self, method: str, path: str, *, body: Manifest, content_type: str) -> Awaitable[Any]: ...


@dataclass
class _Series:
    name: str
    count: int
    started: float


class EventRecorder:
    """Writes Events.  The same object, reason and message within ten minutes raise one Event's count."""

    def __init__(self, send: EventApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._series: OrderedDict[tuple[str, str, str], _Series] = OrderedDict()

    async def record(self, taskservice: Manifest, note: Note) -> None:
        """Write or count up one Event.  A failure is logged and nothing else."""
        identity = (taskservice["metadata"]["uid"], note.reason, note.message)
        series = self._series.get(identity)
        now = self._clock()
        try:
            if series is not None and now - series.started < AGGREGATION_SECONDS:
                series.count += 1
                await self._count_up(taskservice, series)
                return
            self._series[identity] = series = _Series(_event_name(taskservice, identity, now), 1, now)
            self._series.move_to_end(identity)
            while len(self._series) > REMEMBERED:
                self._series.popitem(last=False)
            await self._create(taskservice, note, series)
        except NotFound:
            self._series.pop(identity, None)  # expired, or its namespace is gone
        except ClusterError as error:
            log.warning("event_not_written", extra={"reason": note.reason, "error": error.message})

    async def _count_up(self, taskservice: Manifest, series: _Series) -> None:
        body = {"count": series.count, "lastTimestamp": format_time(datetime.now(UTC))}
        path = EVENT.path(taskservice["metadata"]["namespace"], series.name)
        await self._send("PATCH", path, body=body, content_type="application/merge-patch+json")

    async def _create(self, taskservice: Manifest, note: Note, series: _Series) -> None:
        metadata = taskservice["metadata"]
        moment = format_time(datetime.now(UTC))
        body = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": series.name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": note.reason,
            "message": note.message[:MESSAGE_LIMIT],
            "type": "Warning" if note.warning else "Normal",
            "source": {"component": names.FIELD_MANAGER},
            "reportingComponent": names.FIELD_MANAGER,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        await self._send("POST", EVENT.path(metadata["namespace"]), body=body, content_type="application/json")


def _event_name(taskservice: Manifest, identity: tuple[str, str, str], now: float) -> str:
    digest = hashlib.sha256("\0".join((*identity, str(time.time_ns()), str(now))).encode()).hexdigest()[:16]
    return f"{taskservice['metadata']['name']}.{digest}"
