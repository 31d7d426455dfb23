"""What people do on the platform, for real and in a minute: its sample by the gateway, and releases of three kinds.

Two users work with the sample by HTTPS; beside it stand TaskServices of this run's own namespace: one is released, one
waits for a person, one is broken and says so.  Whoever watches the platform has then seen something of everything.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskservice_demo.load import PASSWORD, Target

APPS = "apps"
HOST = "taskservice.localhost"
TSVC = "taskservices.taskservice.dev"
ECHO = (Path(__file__).parent / "echo_server.py").read_text()
SECONDS = 45.0
PAUSE = 0.4
"""Between two rounds, so that the limits of the gateway are kept."""
NEWCOMER = 8
"""In one of so many rounds somebody new comes: who is known already is not asked for again."""
BUSY, PATIENCE = (503, 504), 30.0
"""Answers of a machine that has too much to do, and for how many seconds the same is asked again."""
COMPLAINT = json.dumps({"level": "error", "event": "cannot_start"})

Kubectl = Callable[..., str]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    document: Any


@dataclass
class PlatformRun:
    """``kubectl``: words in, text out.  ``folder``: one of its own.  The moments are seconds since 1970."""

    kubectl: Kubectl
    folder: Path
    own: str = field(default_factory=lambda: f"watched-{secrets.token_hex(3)}")
    """The namespace of what stands beside the platform."""
    trace_id: str = ""
    began: float = 0.0
    ended: float = 0.0

    def address(self, namespace: str, service: str) -> str:
        """A Service's, which this machine reaches: the node is one of its processes."""
        return json.loads(self.kubectl("get", "service", service, "-n", namespace, "-o", "json"))["spec"]["clusterIP"]

    @contextlib.contextmanager
    def play(self) -> Iterator[PlatformRun]:
        """All of it once; afterwards what was made beside the platform goes."""
        self.began = time.time()
        try:
            self._make()
            self._release()
            self._use()
            self._expect_ended()
            self.ended = time.time()
            yield self
        finally:
            self.kubectl("delete", "namespace", self.own, "--ignore-not-found", "--wait=false")

    # -- the sample ---------------------------------------------------------------------------------------------------
    def _use(self) -> None:
        with contextlib.closing(connected(self.kubectl)) as edge:
            self._use_by(edge)

    def _use_by(self, edge: http.client.HTTPConnection) -> None:
        run = secrets.token_hex(4)
        people = [{"email": f"{name}-{run}@example.org", "password": PASSWORD} for name in ("ann", "bob")]
        ids = [ok(edge, "POST", "/v1/auth/register", who).document["id"] for who in people]
        token = ok(edge, "POST", "/v1/auth/login", people[0]).document["access_token"]
        mine = {"Authorization": f"Bearer {token}"}
        self._use_traced(edge, {"title": "look at this", "assignee": ids[1]}, mine)
        end, turn = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            turn += 1
            if turn % NEWCOMER == 0:
                newcomer = {"email": f"{turn}-{run}@example.org", "password": PASSWORD}
                ids[1] = ok(edge, "POST", "/v1/auth/register", newcomer).document["id"]
            made = ok(edge, "POST", "/v1/tasks", {"title": f"task {turn}", "assignee": ids[turn % 2]}, mine)
            path = made.headers["location"]
            ok(edge, "PATCH", path, {"title": f"task {turn}, changed"}, mine)
            for read in ("/v1/tasks", "/v1/tasks", path, "/v1/auth/me"):
                ok(edge, "GET", read, None, mine)
            # No task has the id of a person; the other one is not even routed.
            for nowhere in (f"/v1/tasks/{ids[0]}", "/nowhere"):
                answer = ask(edge, "GET", nowhere, None, mine)
                assert answer.status == 404, answer
            time.sleep(PAUSE)

    def _use_traced(self, edge: http.client.HTTPConnection, task: Any, mine: Mapping[str, str]) -> None:
        """The request that is looked for: it asks auth who bob is, and both ask MongoDB."""
        end = time.monotonic() + PATIENCE
        while True:
            self.trace_id = secrets.token_hex(16)  # another one for each try: a trace has one request
            traced = {**mine, "traceparent": f"00-{self.trace_id}-{secrets.token_hex(8)}-01"}
            answer = ask(edge, "POST", "/v1/tasks", task, traced)
            if answer.status == 201:
                return
            assert answer.status in BUSY, answer
            assert time.monotonic() < end, answer
            time.sleep(1)

    # -- releases -----------------------------------------------------------------------------------------------------
    def _make(self) -> None:
        """The namespace, and the first revisions; the platform's image is at hand, and has Python."""
        sample = json.loads(self.kubectl("get", TSVC, "tasks", "-n", APPS, "-o", "json"))["spec"]
        made = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.own}},
            _echo(self.own, "shop", sample["image"]),
            _echo(self.own, "waiting", sample["image"], rollout={"blueGreen": {"autoPromotion": False}}),
            _echo(
                self.own,
                "broken",
                sample["image"],
                command=["python3", "-c", f"print({COMPLAINT!r}, flush=True); raise SystemExit(1)"],
                rollout={"progressDeadlineSeconds": 10},
            ),
        ]
        file = self.folder / "made.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
        self.kubectl("apply", "-f", str(file))

    def _release(self) -> None:
        for name in ("shop", "waiting"):
            self._reaches(name, "Stable")
            change = {"spec": {"env": [{"name": "RELEASE", "value": "2"}]}}
            self.kubectl("patch", TSVC, name, "-n", self.own, "--type=merge", "-p", json.dumps(change))

    def _expect_ended(self) -> None:
        self._reaches("waiting", "Verifying")
        self._reaches("shop", "Stable")
        self._reaches("broken", "Failed")

    def _reaches(self, name: str, phase: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while True:
            found = json.loads(self.kubectl("get", TSVC, name, "-n", self.own, "-o", "json"))
            status = found.get("status") or {}
            if status.get("observedGeneration") == found["metadata"]["generation"] and status.get("phase") == phase:
                return
            assert time.monotonic() < end, f"{name} is not {phase} but {status.get('phase')}: {status.get('step')}"
            time.sleep(1)


def _echo(namespace: str, name: str, image: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "taskservice.dev/v1alpha1",
        "kind": "TaskService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "image": image,
            "command": ["python3", "-c", ECHO],
            "replicas": 1,
            "resources": {"requests": {"cpu": "5m", "memory": "24Mi"}},
            "probes": {"readiness": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}},
            **spec,
        },
    }


def connected(kubectl: Kubectl) -> http.client.HTTPConnection:
    """A connection to the sample's gateway, which has to show the certificate that the Secret holds."""
    found = json.loads(kubectl("get", "gateway", "taskservice", "-n", APPS, "-o", "json"))
    secret = json.loads(kubectl("get", "secret", "taskservice-tls", "-n", APPS, "-o", "json"))
    certificate = base64.b64decode(secret["data"]["tls.crt"]).decode()
    return Target(found["status"]["addresses"][0]["value"], 443, HOST, certificate).connection()


def ok(
    edge: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None
) -> Answer:
    """What is answered with 200 or 201; asked again while the machine is busy, and failed with what is said else."""
    end = time.monotonic() + PATIENCE
    while (answer := ask(edge, method, path, body, headers)).status in BUSY and time.monotonic() < end:
        time.sleep(1)
    assert answer.status in (200, 201), (method, path, answer)
    return answer


def ask(
    edge: http.client.HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request by the sample's name."""
    sent = {"Host": HOST, **({"Content-Type": "application/json"} if body else {}), **(headers or {})}
    edge.request(method, path, json.dumps(body) if body else None, sent)
    response = edge.getresponse()
    text = response.read()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, names, json.loads(text) if text else None)
