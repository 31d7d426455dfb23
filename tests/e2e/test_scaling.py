"""Autoscaling on real CPU load, and a release under that load which does not shrink what carries it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from testkit.live import Live, an_echo

AUTOSCALING = {
    "minReplicas": 1,
    "maxReplicas": 3,
    "targetCPUUtilizationPercentage": 50,
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
}
BURN_LIMIT_SECONDS = 300


@contextmanager
def burning(live: Live, service: str, threads: int = 4) -> Iterator[list[str]]:
    """Requests that cost 50 ms of CPU each, one after the other in each thread, until the end of the block."""
    stop, failures = threading.Event(), []
    target = live.stage.target(live.namespace, service)

    def work() -> None:
        end = time.monotonic() + BURN_LIMIT_SECONDS
        while not stop.is_set() and time.monotonic() < end:
            connection = http.client.HTTPConnection(target.host, target.port, timeout=30)
            try:
                connection.request("GET", "/burn")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    failures.append(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
            finally:
                connection.close()
            stop.wait(0.1)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield failures
    finally:
        stop.set()
        for worker in workers:
            worker.join(40)


def test_load_scales_the_live_side_and_a_release_takes_over_at_that_size(live: Live) -> None:
    resources = {"requests": {"cpu": "100m", "memory": "24Mi"}}
    live.apply(an_echo(live.stage, "hot", autoscaling=AUTOSCALING, resources=resources))
    live.wait_ready("hot")
    first = live.active("hot")
    with burning(live, "hot") as failures:
        live.wait("hot", "scaled up", lambda f: f["status"]["readyReplicas"] == 3, 240)
        live.change("hot", env=[{"name": "ECHO_GREETING", "value": "two"}])
        least = 3
        end = time.monotonic() + 150
        while live.status("hot")["revisions"]["active"] == first or live.status("hot")["phase"] != "Stable":
            assert time.monotonic() < end, live.status("hot")
            least = min(least, live.status("hot")["readyReplicas"])
            time.sleep(0.3)
        second = live.active("hot")
        deployment = live.get("deployment", f"hot-{second}")
        autoscaler = live.get("horizontalpodautoscaler", f"hot-{second}")
    assert failures == []
    assert least == 3, "the live side had fewer ready replicas during the release than before"
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 3
    assert autoscaler is not None
    assert autoscaler["spec"]["minReplicas"] == 3, "the floor holds the size it took over with"
    assert live.get("horizontalpodautoscaler", f"hot-{first}") is None


def test_kubectl_scale_reaches_the_live_side(live: Live) -> None:
    live.apply(an_echo(live.stage, "sized", replicas=1))
    live.wait_ready("sized")
    live.kubectl("scale", "taskservice/sized", "--replicas=3")
    live.wait("sized", "scaled", lambda f: f["status"]["readyReplicas"] == 3)
