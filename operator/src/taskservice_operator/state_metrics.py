"""What the TaskServices' own statuses say, as metrics: read from the cache at each scrape, remembered nowhere.

Followers export them as well: so somebody is told of a service in trouble while nobody leads.  Take the maximum over
operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from taskservice_operator.api.status import parse_time

Manifest = Mapping[str, Any]
WHOSE = ("namespace", "taskservice")


@dataclass(frozen=True)
class Family:
    """One gauge: what it says, and the labels that every sample has."""

    name: str
    about: str
    labels: tuple[str, ...]


PHASE = Family("taskservice_status_phase", "1 for the phase that a TaskService is in.", (*WHOSE, "phase"))
CONDITION = Family(
    "taskservice_status_condition", "1 for the status that a condition has.", (*WHOSE, "condition", "status")
)
REVISION = Family(
    "taskservice_status_revision_info",
    "1; which revision is active, stable or candidate.",
    (*WHOSE, "role", "revision"),
)
REPLICAS = Family("taskservice_status_replicas", "Pods of the live revision, desired and ready.", (*WHOSE, "state"))
STARTED = Family(
    "taskservice_rollout_started_timestamp_seconds", "When the release under way began, in seconds since 1970.", WHOSE
)
FAMILIES = (PHASE, CONDITION, REVISION, REPLICAS, STARTED)
_ROLES = ("active", "stable", "candidate")


class TaskServiceStates(Collector):
    """Collects from whatever ``taskservices`` returns at that moment."""

    def __init__(self, taskservices: Callable[[], Iterable[Manifest]]) -> None:
        self._taskservices = taskservices

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families, each with its samples."""
        families = {family: GaugeMetricFamily(family.name, family.about, labels=family.labels) for family in FAMILIES}
        for taskservice in self._taskservices():
            metadata = taskservice["metadata"]
            whose = (metadata["namespace"], metadata["name"])
            for family, labels, value in _samples(taskservice.get("status") or {}):
                families[family].add_metric((*whose, *labels), value)
        yield from families.values()


def _samples(status: Manifest) -> Iterator[tuple[Family, tuple[str, ...], float]]:
    if phase := status.get("phase"):
        yield PHASE, (phase,), 1
    for condition in status.get("conditions") or ():
        yield CONDITION, (condition["type"], condition["status"]), 1
    revisions = status.get("revisions") or {}
    for role in _ROLES:
        if revisions.get(role):
            yield REVISION, (role, revisions[role]), 1
    yield REPLICAS, ("desired",), status.get("replicas", 0)
    yield REPLICAS, ("ready",), status.get("readyReplicas", 0)
    started = (status.get("rollout") or {}).get("startedAt")
    if started:
        yield STARTED, (), parse_time(started).timestamp()
