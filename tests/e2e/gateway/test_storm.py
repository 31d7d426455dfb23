"""Load through the gateway while pods, cache, database, release and certificate go through their worst day, all in one.

Nothing that was acknowledged is lost or stored twice, and no read fails for a client that repeats it: the rule is
:mod:`testkit.storm`'s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from taskservice_demo.load import PASSWORD
from taskservice_local.commands import wait_for
from taskservice_local.paths import CHECKOUT
from testkit.edge_client import PROXIES, Edge
from testkit.edge_tls import make_certificate, put_certificate, shown
from testkit.live import Live
from testkit.secret_scan import leaks, values_of
from testkit.storm import Storm

NAMESPACE = "e2e-storm"
THREE = {"auth": {"replicas": 3}, "tasks": {"replicas": 3}}
BETWEEN = 60
"""Calls between two blows: what follows each of them is seen before the next one."""


@pytest.fixture(scope="module")
def own(installed) -> Iterator[Edge]:
    with installed(NAMESPACE, **THREE) as edge:
        yield edge


def creates_are_keyed() -> bool:
    """Whether the service's description says that creating a task takes an ``Idempotency-Key``."""
    create = json.loads((CHECKOUT / "service/openapi/tasks.json").read_text())["paths"]["/v1/tasks"]["post"]
    return any(each.get("name", "").lower() == "idempotency-key" for each in create.get("parameters", []))


def test_nothing_acknowledged_is_lost_and_no_read_fails(own: Edge, upgrade) -> None:
    live, keyed = own.live, creates_are_keyed()
    certificate, key = make_certificate()
    before = own.certificate()
    storm = Storm(own.target(certificate), keyed)
    revision = live.active("tasks")
    with storm.raging():
        for blow in (
            partial(kill_tasks, live),
            partial(kill_redis, live),
            partial(kill_primary, live),
            partial(upgrade, live, {**THREE, "config": {"TASKSERVICE_VERSION": "two"}}),
            partial(renew, own, before, certificate, key),
        ):
            calm(storm)
            now = time.strftime("%T", time.gmtime())
            print(f"\n{now}: {len(storm.outcomes)} calls; now {blow.func.__name__}", flush=True)
            blow()
        calm(storm)
    print(f"\n{storm.summary()}")
    stored, lost, twice, unasked = storm.stored(), [], [], 0
    for account in storm.accounts:
        tasks = stored[account.email]
        lost += [title for title, task_id in account.acknowledged.items() if tasks.get(task_id) != title]
        twice += [title for title in account.acknowledged if list(tasks.values()).count(title) > 1]
        unasked += len(set(tasks.values()) - set(account.acknowledged))
    acknowledged = sum(len(account.acknowledged) for account in storm.accounts)
    print(f"{acknowledged} acknowledged, {len(lost)} lost, {len(twice)} stored twice, {unasked} stored unacknowledged")
    assert lost == []
    assert twice == []
    # A keyed create is not among them: after its replica's death the service lets nobody else have it for a minute.
    reads = [outcome for outcome in storm.outcomes if outcome.kind in ("get", "list")]
    assert [outcome for outcome in reads if outcome.failure] == []
    assert acknowledged > BETWEEN
    assert live.active("tasks") != revision
    tokens = {f"token {account.email}": account.token for account in storm.accounts}
    assert_no_secret_was_logged(own, tokens | {"password of the load": PASSWORD, "key of the certificate": key})


def assert_no_secret_was_logged(edge: Edge, secrets: dict[str, str]) -> None:
    """Every log line that is left of the sample's pods and of the proxies before them."""
    kubectl, namespace = edge.live.stage.kubectl, edge.live.namespace
    # Helm's own records hold manifests, and no log would hold them whole; certificates are for everybody.
    held = values_of(each for each in edge.live.list("secrets") if not each["type"].startswith("helm.sh/"))
    held = {name: value for name, value in held.items() if not name.endswith(":tls.crt")}
    assert {"TASKSERVICE_MONGO_URL", "keyfile", "tls.key"} <= {name.rpartition(":")[2] for name in held}
    proxies = ("-n", PROXIES, "-l", f"gateway.envoyproxy.io/owning-gateway-namespace={namespace}")
    pods = [*edge.live.list("pods"), *(kubectl.get("pods", *proxies) or {"items": []})["items"]]
    assert {"auth", "tasks", "mongo", "redis", "envoy"} <= {pod["metadata"]["name"].split("-")[0] for pod in pods}
    for pod in pods:
        where, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        log = kubectl("logs", "-n", where, name, "--all-containers", "--ignore-errors")
        assert leaks(log, held | secrets) == [], f"in the log of {where}/{name}"


def kill_tasks(live: Live) -> None:
    victim = live.list("pods", "-l", "taskservice.dev/name=tasks")[0]["metadata"]
    kill(live, victim)
    live.wait_ready("tasks", 180)


def kill_redis(live: Live) -> None:
    victim = (live.get("pod", "redis-0") or {})["metadata"]
    kill(live, victim)
    wait_for("Redis to be back", lambda: is_back(live, victim), 180, every=0.5)


def kill_primary(live: Live) -> None:
    """By force, which leaves it two seconds: the others must vote, and hold every write that a majority had."""
    states = members(live)
    assert sorted(states.values()) == ["primary", "secondary", "secondary"], states
    name = next(name for name, state in states.items() if state == "primary")
    victim = (live.get("pod", name) or {})["metadata"]
    kill(live, victim)
    wait_for("another primary", lambda: "primary" in {state for n, state in members(live).items() if n != name}, 180)
    wait_for("Mongo's pod to be back", lambda: is_back(live, victim), 180, every=0.5)
    # It lost its disk with its pod, and copies everything from the others.
    whole = ["primary", "secondary", "secondary"]
    wait_for("three members", lambda: sorted(members(live).values()) == whole, 180, every=1)


def renew(edge: Edge, before: str, certificate: str, key: str) -> None:
    put_certificate(edge, certificate, key)
    wait_for("the new certificate", lambda: shown(edge, before + certificate).split() == certificate.split(), 120)


def calm(storm: Storm) -> None:
    """Go on for a number of calls, which takes longer than their number suggests while all wait for an election."""
    seen = len(storm.outcomes)
    wait_for("calls of the storm", lambda: len(storm.outcomes) >= seen + BETWEEN, 180, every=0.2)


def kill(live: Live, victim: dict[str, Any]) -> None:
    live.kubectl("delete", "pod", victim["name"], "--grace-period=0", "--force")


def is_back(live: Live, victim: dict[str, Any]) -> bool:
    """Whether another pod of the name is ready."""
    pod = live.get("pod", victim["name"])
    if pod is None or pod["metadata"]["uid"] == victim["uid"]:
        return False
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def members(live: Live) -> dict[str, str]:
    """What each member says of itself, by the pod's name: primary, secondary, other, or away."""
    states = {}
    for number in range(3):
        pod = live.get("pod", f"mongo-{number}") or {}
        states[f"mongo-{number}"] = said(pod.get("status", {}).get("podIP", ""))
    return states


def said(address: str) -> str:
    if not address:
        return "away"
    try:
        with MongoClient(address, directConnection=True, serverSelectionTimeoutMS=2000) as client:
            hello = client.admin.command("hello")
    except PyMongoError:
        return "away"
    return "primary" if hello["isWritablePrimary"] else "secondary" if hello.get("secondary") else "other"
