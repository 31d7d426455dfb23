"""The sample's worker in real pods: what happens to a task is told once and in order, whichever worker leaves."""

from __future__ import annotations

import json
import secrets
import time
from collections import defaultdict
from dataclasses import replace

import pytest

from taskservice_demo.stage import add_images, install_sample, is_ready
from taskservice_local.commands import wait_for
from testkit.live import Live
from testkit.otlp_pod import URL, spans_of, start_collector
from testkit.sample_client import Person, database, total
from testkit.secret_scan import leaks, values_of

CALM = 15
"""Tasks made while nothing else happens."""
TOLD = ["task.created", "task.assigned"]
"""Of a task that begins with an assignee."""


@pytest.fixture(scope="module")
def sample(live: Live) -> Live:
    sample = replace(live, stage=add_images(live.stage, "rabbitmq"))
    start_collector(sample)
    install(sample, "one")
    return sample


def install(sample: Live, version: str) -> None:
    values = {
        "auth": {"replicas": 1},
        "tasks": {"replicas": 1},
        # Every line that its clients have to say is looked through for secrets below.
        "worker": {"config": {"TASKSERVICE_VERSION": version, "TASKSERVICE_LOG_LEVEL": "DEBUG"}},
        "config": {"TASKSERVICE_OTLP_ENDPOINT": URL, "TASKSERVICE_TRACE_RATIO": "0"},
        "rollout": {"scaleDownDelaySeconds": 3, "smokeRequests": 3},
    }
    install_sample(sample.stage, sample.namespace, values, wait=version == "one")


@pytest.fixture(scope="module")
def ann(sample: Live) -> Person:
    return Person.registered(sample, "ann")


@pytest.fixture(scope="module")
def bob(sample: Live) -> Person:
    return Person.registered(sample, "bob")


def told(sample: Live) -> dict[str, list[str]]:
    """By task: the types of the entries in the feed, in the order in which they were handled."""
    types: dict[str, list[str]] = defaultdict(list)
    with database(sample) as stored:
        for entry in stored["activity"].find({}).sort([("task", 1), ("order", 1)]):
            types[entry["task"]].append(entry["type"])
    return dict(types)


def waiting(sample: Live) -> int:
    """Events that the relay has not published yet."""
    with database(sample) as stored:
        return stored["outbox"].count_documents({"pending": True})


def test_each_task_is_told_once_and_in_order_across_a_release_of_the_worker(
    sample: Live, ann: Person, bob: Person
) -> None:
    tasks = [ann.creates(f"calm {number}", assignee=bob) for number in range(CALM)]
    wait_for("the first entries", lambda: told(sample) == dict.fromkeys(tasks, TOLD), 60, every=0.5)

    first, end = sample.active("worker"), time.monotonic() + 120
    install(sample, "two")
    # Both sides are at work for a while; then the first one leaves, with whatever it has in hand.
    while sample.active("worker") == first or not is_ready(sample.tsvc("worker")) or sample.pod_uids("worker", first):
        assert time.monotonic() < end, sample.status("worker").get("step")
        tasks += [ann.creates(f"meanwhile {number}", assignee=bob) for number in range(3)]
    tasks += [ann.creates(f"after {number}", assignee=bob) for number in range(CALM)]

    wait_for("an empty outbox", lambda: waiting(sample) == 0, 60, every=0.5)
    wait_for("as many entries", lambda: sum(map(len, told(sample).values())) >= len(TOLD) * len(tasks), 60, every=0.5)
    print(f"\n{len(tasks)} tasks, {len(tasks) - 2 * CALM} of them during the release")
    assert told(sample) == dict.fromkeys(tasks, TOLD)
    assert total(sample, "worker", "taskservice_events_dead_total") == 0
    assert total(sample, "worker", "taskservice_events_gaps_total") == 0


def test_of_two_workers_one_publishes(sample: Live) -> None:
    assert len(sample.pod_uids("worker", sample.active("worker"))) == 2
    wait_for("one leader", lambda: total(sample, "worker", "taskservice_relay_leading") == 1, 30, every=0.5)


def test_tasks_ask_auth_for_assignees_by_grpc(sample: Live, ann: Person) -> None:
    carl = Person.registered(sample, "carl")  # nobody's card is cached that nobody asked for
    made = {"target": "directory-grpc", "code": "OK"}
    before = total(sample, "tasks", "taskservice_client_call_duration_seconds_count", **made)
    ann.creates("for carl", assignee=carl)
    assert total(sample, "tasks", "taskservice_client_call_duration_seconds_count", **made) > before
    assert total(sample, "auth", "rpc_server_call_duration_seconds_count", rpc_response_status_code="OK") > before


def test_a_request_is_one_trace_from_the_route_through_auth_to_the_worker(sample: Live, ann: Person) -> None:
    dora = Person.registered(sample, "dora")
    trace_id = secrets.token_hex(16)
    task = ann.creates("traced", assignee=dora, traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-01")

    def by_service() -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = defaultdict(list)
        for span in spans_of(sample, trace_id):
            found[span["service"]].append(span)
        return found

    spans = wait_for("spans of both", lambda: {"auth", "tasks"} <= set(by_service()) and by_service(), 60, every=1)
    assert "POST /v1/tasks" in {span["name"] for span in spans["tasks"]}
    callers = {span["span_id"] for span in spans["tasks"]}
    served = [span["name"] for span in spans["auth"] if span["parent_id"] in callers]
    assert any("UserDirectory" in name for name in served), spans["auth"]

    def handled() -> list[str]:
        log = sample.kubectl("logs", "-l", "taskservice.dev/name=worker", "--tail=-1", "--prefix=false")
        lines = [json.loads(line) for line in log.splitlines() if trace_id in line]
        return [line["type"] for line in lines if line["event"] == "event_handled" and line["task"] == task]

    wait_for("the worker's lines", lambda: handled() == TOLD, 60, every=1)


def test_nothing_restarted_and_no_secret_was_logged(sample: Live, ann: Person) -> None:
    held = values_of(each for each in sample.list("secrets") if not each["type"].startswith("helm.sh/"))
    assert {"TASKSERVICE_BUS_URL", "TASKSERVICE_MONGO_URL"} <= {name.rpartition(":")[2] for name in held}
    pods = {pod["metadata"]["name"]: pod["status"]["containerStatuses"] for pod in sample.list("pods")}
    assert {"auth", "tasks", "worker", "rabbitmq"} <= {name.split("-")[0] for name in pods}
    for name, containers in pods.items():
        log = sample.kubectl("logs", name, "--all-containers", "--ignore-errors")
        assert leaks(log, held | {"token": ann.token}) == [], f"in the log of {name}"
        if not name.startswith("mongo-init"):
            assert [each["restartCount"] for each in containers] == [0], name
