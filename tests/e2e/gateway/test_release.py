"""Releases seen from outside: the gateway routes to pods by itself, and still nobody notices."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

from taskservice_demo.load import Load, Sample
from taskservice_local.commands import wait_for
from testkit.edge_client import PROXIES, Edge

VERSIONS = ("two", "three")


def test_releases_of_both_services_under_load_through_the_gateway_drop_no_request(edge: Edge, reinstalled) -> None:
    target = edge.target()
    load = Load(target, target, keep_alive=8, fresh=4, rate=150, limit_seconds=600)
    revisions = {name: [edge.live.active(name)] for name in ("auth", "tasks")}
    with ExitStack() as installed, load.running():
        for version in VERSIONS:
            installed.enter_context(reinstalled(config={"TASKSERVICE_VERSION": version}))
            for name, seen in revisions.items():
                seen.append(edge.live.active(name))
            time.sleep(14)  # past the scale-down of the side before: its pods leave under load as well
    answered = Counter(sample.revision for sample in load.samples if sample.kind != "login" and sample.revision)
    print(f"\n{len(load.samples)} requests through the gateway, answered by {json.dumps(answered)}")
    print(f"both sides answered for {[f'{seconds:.2f} s' for seconds in overlaps(load.samples, revisions['tasks'])]}")
    assert load.failures() == []
    assert len(load.samples) > 2000
    assert len(set(revisions["tasks"])) == 1 + len(VERSIONS)
    assert set(revisions["tasks"]) <= set(answered)


def test_a_pod_that_dies_without_a_word_costs_no_read(edge: Edge) -> None:
    target = edge.target()
    load = Load(target, target, keep_alive=8, fresh=4, rate=80, limit_seconds=300)
    with load.running():
        wait_for("requests before", lambda: len(load.samples) > 200, 90)
        for _ in range(2):
            # A proxy that has not been told yet of the pod that came has only the one that is about to die.
            wait_for("two pods that serve, and are known", lambda: is_known(edge, serving(edge)), 120, every=0.5)
            (victim, _), _ = serving(edge)
            edge.live.kubectl("delete", "pod", victim, "--grace-period=0", "--force")
            seen = len(load.samples)
            wait_for("requests after", lambda seen=seen: len(load.samples) > seen + 200, 90)
    # A write that was under way may be lost: nobody but its caller can tell whether it may be repeated.
    assert [sample for sample in load.failures() if sample.kind == "list"] == []


def test_a_proxy_that_leaves_takes_no_request_with_it(edge: Edge, reinstalled) -> None:
    target = edge.target()
    load = Load(target, target, keep_alive=8, fresh=4, rate=80, limit_seconds=600)
    with reinstalled(gateway={"replicas": 2}):
        wait_for("two proxies", lambda: sum(map(is_ready, proxies(edge))) == 2, 120, every=0.5)
        load.start()
        wait_for("requests to both", lambda: len(load.samples) > 200, 90)
    # Back to one: the other is asked to end while it has connections that are kept.
    try:
        wait_for("one proxy", lambda: len(proxies(edge)) == 1, 120, every=0.5)
        left = len(load.samples)
        wait_for("requests to the one that stays", lambda: len(load.samples) > left + 200, 90)
    finally:
        load.stop()
    assert load.failures() == []


def serving(edge: Edge) -> list[tuple[str, str]]:
    """Name and address of the task-service's pods that are ready and not about to end."""
    pods = edge.live.list("pods", "-l", "taskservice.dev/name=tasks")
    return [
        (pod["metadata"]["name"], pod["status"]["podIP"])
        for pod in pods
        if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
    ]


def is_known(edge: Edge, pods: list[tuple[str, str]]) -> bool:
    """Whether there are two pods and the proxy sends reads to both and to nobody else."""
    return len(pods) == 2 and edge.upstreams("reads") == {address for _, address in pods}


def overlaps(samples: list[Sample], revisions: list[str]) -> list[float]:
    """For each switch: seconds between the first answer of the new side and the last one of the side before."""
    times: dict[str, list[float]] = {}
    for sample in samples:
        times.setdefault(sample.revision, []).append(sample.ended_at)
    return [max(times[old]) - min(times[new]) for old, new in pairwise(revisions)]


def proxies(edge: Edge) -> list[dict[str, Any]]:
    labels = f"gateway.envoyproxy.io/owning-gateway-namespace={edge.live.namespace}"
    return (edge.live.stage.kubectl.get("pods", "-n", PROXIES, "-l", labels) or {"items": []})["items"]


def is_ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
