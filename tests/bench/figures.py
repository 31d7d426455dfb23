"""What both benchmarks need: metrics as numbers, the operator's counters, medians, ratios and a table.

Everything is read through the API server (its own ``/metrics``, and those of pods by its proxy), so that it works on
any cluster that the tests run on.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from taskservice_demo.stage import Stage
from taskservice_local.errors import LocalError

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_OPERATORS = "app.kubernetes.io/name=taskservice-operator"

READ_KINDS = frozenset(
    {
        "deployments",
        "services",
        "horizontalpodautoscalers",
        "configmaps",
        "secrets",
        "controllerrevisions",
        "poddisruptionbudgets",
        "pods",
        "endpointslices",
    }
)
"""What the operator lists in one namespace when it looks; nothing else in a quiet cluster lists these by namespace."""
LOOKED_UP = READ_KINDS - {"pods", "endpointslices"} | {"taskservices"}
"""What the operator gets by name: the TaskService at each look, an owned object before it is created."""


def samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of every sample of one metric in Prometheus' text format."""
    found = []
    for line in text.splitlines():
        if line.startswith(name) and (match := _SAMPLE.match(line)) and match["name"] == name:
            found.append((dict(_LABEL.findall(match["labels"] or "")), float(match["value"])))
    return found


@dataclass(frozen=True)
class Counters:
    """The counters of the operator and of the API server at one moment.

    ``writes`` by kind, without the leader's lease; ``reads`` None where the API server does not show its metrics.
    ``leader`` and ``others`` (resourceVersions of other TaskServices) tell whether two moments can be compared.
    """

    leader: str
    others: dict[str, str]
    writes: dict[str, float]
    cpu_seconds: float
    reads: float | None

    def disturbed_since(self, before: Counters) -> str:
        """Why the difference is not ours alone; empty when it is."""
        if before.leader != self.leader:
            return f"the leader changed from {before.leader} to {self.leader}"
        changed = {name for name, _ in self.others.items() ^ before.others.items()}
        return f"other TaskServices changed meanwhile: {', '.join(sorted(changed))}" if changed else ""

    def writes_since(self, before: Counters) -> dict[str, int]:
        """Writes by kind since an earlier moment."""
        counted = {kind: int(number - before.writes.get(kind, 0)) for kind, number in self.writes.items()}
        return {kind: number for kind, number in sorted(counted.items()) if number}


def read_counters(stage: Stage, measured: Iterable[str] = ()) -> Counters:
    """Read all counters now.  ``measured``: the TaskServices (``namespace/name``) whose changes are expected.

    Raises LocalError when no operator leads.
    """
    ours = set(measured)
    leader, text = _leading(stage)
    found = stage.kubectl.get("taskservices.taskservice.dev", "--all-namespaces") or {"items": []}
    versions = {
        f"{each['metadata']['namespace']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for each in found["items"]
    }
    writes: dict[str, float] = {}
    for labels, value in samples(text, "taskservice_api_writes_total"):
        if labels["kind"] != "Lease":
            writes[labels["kind"]] = writes.get(labels["kind"], 0) + value
    return Counters(
        leader=leader,
        others={name: version for name, version in versions.items() if name not in ours},
        writes=writes,
        cpu_seconds=sum(value for _, value in samples(text, "process_cpu_seconds_total")),
        reads=_reads(stage),
    )


def total_writes(stage: Stage) -> float:
    """The leader's writes so far without its lease; costs one request."""
    _, text = _leading(stage)
    written = samples(text, "taskservice_api_writes_total")
    return sum(value for labels, value in written if labels["kind"] != "Lease")


def pod_metrics(stage: Stage, namespace: str, pod: str, port: int) -> str:
    """A pod's ``/metrics``.  Raises LocalError when it does not answer."""
    return stage.kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics")


def _leading(stage: Stage) -> tuple[str, str]:
    """Name and metrics of the pod that leads."""
    # A list of all namespaces: one of a single namespace would count as a read of the operator.
    found = stage.kubectl.get("pods", "--all-namespaces", "-l", _OPERATORS) or {"items": []}
    for pod in found["items"]:
        name = pod["metadata"]["name"]
        try:
            text = pod_metrics(stage, pod["metadata"]["namespace"], name, 8080)
        except LocalError:
            continue  # starting or leaving
        if any(value == 1 for _, value in samples(text, "taskservice_leader")):
            return name, text
    raise LocalError("No operator leads: is it installed and ready?")


def _reads(stage: Stage) -> float | None:
    try:
        text = stage.kubectl("get", "--raw", "/metrics")
    except LocalError:
        return None
    return sum(
        value
        for labels, value in samples(text, "apiserver_request_total")
        if not labels["subresource"]
        and (
            (labels["verb"] == "LIST" and labels["scope"] == "namespace" and labels["resource"] in READ_KINDS)
            or (labels["verb"] == "GET" and labels["scope"] == "resource" and labels["resource"] in LOOKED_UP)
        )
    )


def median(values: Sequence[float]) -> float:
    """The median, rounded to three decimals."""
    return round(statistics.median(values), 3)


def ratio(value: float, floor: float) -> float | None:
    """``value`` against ``floor``, two decimals; None where there is no floor."""
    return round(value / floor, 2) if floor else None


def table(rows: Sequence[dict[str, Any]], columns: dict[str, Callable[[dict[str, Any]], Any]]) -> str:
    """Rows as aligned text: the first column to the left, the others to the right; None as a dash."""
    cells = [list(columns)]
    for row in rows:
        values = [show(row) for show in columns.values()]
        cells.append(["-" if value is None else str(value) for value in values])
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
