"""The operator that is installed on the real cluster, seen from outside: its pods, its leader, what it has done."""

from __future__ import annotations

import http.client
import re
from typing import Any

from taskservice_demo.stage import OPERATOR_NAMESPACE
from testkit.live import Live

LABEL = "app.kubernetes.io/name=taskservice-operator"
WRITES = re.compile(r"^taskservice_api_writes_total\{(?![^}]*Lease)[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
"""All but the renewals of the leader's lease, which belong to no TaskService."""
PASSES = re.compile(r"^taskservice_reconcile_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


def operator_pods(live: Live) -> list[dict[str, Any]]:
    pods = live.stage.kubectl.get("pods", "-n", OPERATOR_NAMESPACE, "-l", LABEL) or {"items": []}
    return [pod for pod in pods["items"] if not pod["metadata"].get("deletionTimestamp")]


def leader(live: Live) -> str:
    lease = live.stage.kubectl.get("lease", "taskservice-operator", "-n", OPERATOR_NAMESPACE) or {}
    return lease.get("spec", {}).get("holderIdentity") or ""


def leading_pods(live: Live) -> list[dict[str, Any]]:
    return [pod for pod in operator_pods(live) if pod["metadata"]["name"] in leader(live)]


def metrics_of(pod: dict[str, Any]) -> str:
    connection = http.client.HTTPConnection(pod["status"]["podIP"], 8080, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def count_writes(live: Live) -> float:
    """Writes of all its pods since each began."""
    return _sum(live, WRITES)


def count_passes(live: Live) -> float:
    """Passes of all its pods since each began, idle ones included."""
    return _sum(live, PASSES)


def restarts(live: Live) -> dict[str, int]:
    """How often each of its pods was restarted, by UID."""
    return {
        pod["metadata"]["uid"]: sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or ())
        for pod in operator_pods(live)
    }


def _sum(live: Live, what: re.Pattern[str]) -> float:
    return sum(float(number) for pod in operator_pods(live) for number in what.findall(metrics_of(pod)))
