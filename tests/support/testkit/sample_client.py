"""The sample application within the cluster, for end-to-end tests: its users, its pods' metrics, its database."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from taskservice_demo.load import PASSWORD
from testkit.live import Live

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Person:
    """A user of the sample.  ``id``: as tasks know them; ``token``: of access."""

    live: Live
    id: str
    token: str

    @classmethod
    def registered(cls, live: Live, name: str) -> Person:
        """A new user."""
        account = {"email": f"{name}-{uuid.uuid4().hex}@example.org", "password": PASSWORD}
        identity = ask(live, "auth", "POST", "/v1/auth/register", account)["id"]
        return cls(live, identity, ask(live, "auth", "POST", "/v1/auth/login", account)["access_token"])

    def creates(self, title: str, *, assignee: Person | None = None, traceparent: str = "") -> str:
        """Creates a task and returns its id.  Sent again while it is answered with 503; stored once all the same."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": uuid.uuid4().hex}
        if traceparent:
            headers["traceparent"] = traceparent
        task = {"title": title, "assignee": assignee.id if assignee else None}
        return ask(self.live, "tasks", "POST", "/v1/tasks", task, headers)["id"]


def ask(
    live: Live, service: str, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Any:
    """The document that a service answers with; fails with what it says when it refuses."""
    target, end = live.stage.target(live.namespace, service), time.monotonic() + PATIENCE_SECONDS
    while True:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=PATIENCE_SECONDS)
        try:
            sent = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, json.dumps(body), sent)
            response = connection.getresponse()
            document = response.read()
        finally:
            connection.close()
        if response.status in (200, 201):
            return json.loads(document)
        assert response.status in (409, 503), (path, response.status, document)
        assert time.monotonic() < end, (path, response.status, document)
        time.sleep(1)


def total(live: Live, service: str, metric: str, **labels: str) -> float:
    """The sum of a metric over the living pods of a service, of the series that have these labels."""
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    series = re.compile(rf"^{metric}(\{{.*\}})? (\S+)$", re.MULTILINE)
    return sum(
        float(value)
        for pod in live.list("pods", "-l", f"taskservice.dev/name={service}")
        if not pod["metadata"].get("deletionTimestamp") and pod["status"].get("podIP")
        for found, value in series.findall(_metrics(pod["status"]["podIP"]))
        if all(label in found for label in wanted)
    )


def _metrics(address: str) -> str:
    connection = http.client.HTTPConnection(address, 9090, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@contextmanager
def database(live: Live) -> Iterator[Database[dict[str, Any]]]:
    """The sample's database as its primary has it now, with the rights of the services."""
    secret = (live.get("secret", "mongo-admin") or {})["data"]["password"]
    password = base64.b64decode(secret).decode()
    credentials: dict[str, Any] = {"username": "taskservice", "password": password, "authSource": "admin"}
    for number in range(3):
        address = (live.get("pod", f"mongo-{number}") or {})["status"]["podIP"]
        with MongoClient[dict[str, Any]](address, directConnection=True, timeoutMS=20_000, **credentials) as client:
            if client.admin.command("hello")["isWritablePrimary"]:
                yield client["taskservice"]
                return
    raise AssertionError("no member of the replica set is primary")
