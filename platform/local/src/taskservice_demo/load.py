"""A bounded, strict load on the sample: logins, creates and lists, over kept-alive and fresh connections.

Strict means: nothing is retried.  An error of the connection, a time-out or an unexpected status is a failed request,
also where an ordinary client would quietly try again.  Standard library only, one thread per worker.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

TIMEOUT_SECONDS = 10.0
IDLE_SECONDS = 30.0
"""Connections idle for longer are not used again, as in any client's pool: servers close idle ones (ours 75 s)."""
REVISION_HEADER = "X-TaskService-Revision"
PASSWORD = "a demonstration, not a secret"  # noqa: S105 — accounts of the demonstration's own making
MOST_WORKERS = 64
MOST_SECONDS = 900.0


@dataclass(frozen=True)
class Target:
    """A Service's address as it can be reached from here; by TLS if ``server_name`` is given.

    ``authorities``: the certificates that are believed, in PEM.
    """

    host: str
    port: int
    server_name: str = ""
    authorities: str = ""

    def connection(self) -> http.client.HTTPConnection:
        """A new connection, which opens with its first request."""
        kind = _TlsConnection if self.server_name else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=TIMEOUT_SECONDS)
        if isinstance(connection, _TlsConnection):
            connection.target = self
        return connection


class _TlsConnection(http.client.HTTPConnection):
    """TLS to an address that is not the name on the certificate."""

    target: Target

    def connect(self) -> None:
        plain = socket.create_connection((self.target.host, self.target.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = _context(self.target.authorities).wrap_socket(plain, server_hostname=self.target.server_name)
        except BaseException:
            plain.close()
            raise


@lru_cache(maxsize=16)
def _context(authorities: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authorities)


Connections = dict[Target, tuple[http.client.HTTPConnection, float]]
"""Kept connections by target, with the time of their last use (``time.monotonic``)."""


@dataclass(frozen=True)
class Sample:
    """One request: when it ended (``time.time``), how long it took in seconds, what came of it.

    ``failure`` is empty for a request that was answered as expected.
    """

    ended_at: float
    seconds: float
    kind: str
    revision: str
    failure: str


@dataclass
class Account:
    """A user of the load's own; ``token`` is an access token."""

    email: str
    token: str = ""
    created: int = 0


@dataclass
class Load:
    """``keep_alive`` + ``fresh`` workers at ``rate`` requests a second in all, until stopped or ``limit_seconds``."""

    auth: Target
    tasks: Target
    keep_alive: int = 6
    fresh: int = 6
    rate: float = 120.0
    limit_seconds: float = 600.0
    samples: list[Sample] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Make the accounts, then start the workers.  Raises :class:`RuntimeError` if an account cannot be made."""
        workers = self.keep_alive + self.fresh
        if not 0 < workers <= MOST_WORKERS or self.limit_seconds > MOST_SECONDS:
            raise ValueError(f"the load is bounded: at most {MOST_WORKERS} workers and {MOST_SECONDS:.0f} s")
        marker = f"{time.time_ns():x}"
        for index in range(workers):
            account = self._register(f"load-{marker}-{index}@example.org")
            self.accounts.append(account)
            keep = index < self.keep_alive
            thread = threading.Thread(target=self._work, args=(account, keep, index), daemon=True, name=f"load-{index}")
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the workers; requests under way are finished and counted."""
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS + 5)

    @contextmanager
    def running(self) -> Iterator[Load]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def failures(self) -> list[Sample]:
        return [sample for sample in list(self.samples) if sample.failure]

    def _register(self, email: str) -> Account:
        body = {"email": email, "password": PASSWORD}
        problem = "never tried"
        for attempt in range(20):
            try:
                connection, status, answer, _ = _exchange(None, self.auth, "POST", "/v1/auth/register", body, "")
                connection.close()
                if status == 201:
                    return Account(email)
                problem = f"status {status}: {answer[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
            time.sleep(0.2 * (attempt + 1))
        raise RuntimeError(f"no account could be made before the load began: {problem}")

    def _work(self, account: Account, keep: bool, index: int) -> None:
        dice = random.Random(index)  # noqa: S311 — a mix of requests, nothing secret
        connections: Connections = {}
        pause = (self.keep_alive + self.fresh) / self.rate
        began = time.monotonic()
        next_at = began + dice.random() * pause
        while not self._stop.is_set() and time.monotonic() - began < self.limit_seconds:
            delay = next_at - time.monotonic()
            if delay > 0 and self._stop.wait(delay):
                break
            next_at = max(next_at + pause, time.monotonic() - 1.0)
            self._one(account, keep, dice, connections)
        for connection, _ in connections.values():
            connection.close()

    def _one(
        self,
        account: Account,
        keep: bool,
        dice: random.Random,
        connections: Connections,
    ) -> None:
        roll = dice.random()
        if not account.token or roll < 0.004:
            kind, target, method, path, expected = "login", self.auth, "POST", "/v1/auth/login", 200
            body: dict[str, Any] | None = {"email": account.email, "password": PASSWORD}
        elif roll < 0.2:
            kind, target, method, path, expected = "create", self.tasks, "POST", "/v1/tasks", 201
            body = {"title": f"task {account.created}"}
        else:
            kind, target, method, path, expected = "list", self.tasks, "GET", "/v1/tasks?limit=10", 200
            body = None
        began, revision, failure = time.monotonic(), "", ""
        try:
            connection, status, answer, revision = _exchange(
                _kept(connections, target), target, method, path, body, account.token
            )
            if keep:
                connections[target] = (connection, time.monotonic())
            else:
                connection.close()
            if status != expected:
                failure = f"status {status}: {answer[:120].decode(errors='replace')}"
            elif kind == "login":
                account.token = json.loads(answer)["access_token"]
            elif kind == "create":
                account.created += 1
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            failure = f"{type(error).__name__}: {error}"
            connections.pop(target, None)
        self.samples.append(Sample(time.time(), time.monotonic() - began, kind, revision, failure))


def _kept(connections: Connections, target: Target) -> http.client.HTTPConnection | None:
    """The kept connection to a target, unless it has been idle for too long."""
    connection, used_at = connections.pop(target, (None, 0.0))
    if connection is not None and time.monotonic() - used_at > IDLE_SECONDS:
        connection.close()
        return None
    return connection


def _exchange(
    connection: http.client.HTTPConnection | None,
    target: Target,
    method: str,
    path: str,
    body: dict[str, Any] | None,
    token: str,
) -> tuple[http.client.HTTPConnection, int, bytes, str]:
    """One request on ``connection``, or on a new one.  Raises what the connection raises."""
    connection = connection or target.connection()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if target.server_name:
        headers["Host"] = target.server_name
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    connection.request(method, path, body=payload, headers=headers)
    response = connection.getresponse()
    answer = response.read()
    return connection, response.status, answer, response.getheader(REVISION_HEADER, "")


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` (0..1) of ``values`` lie; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(words: list[str]) -> int:
    """Run in a pod: the settings as one JSON word; each request's :class:`Sample` as a JSON line on stdout.

    Ends by itself after ``limit_seconds``, or when the pod is deleted.
    """
    settings = json.loads(words[0])
    load = Load(Target(*settings.pop("auth")), Target(*settings.pop("tasks")), **settings)
    shown = 0
    with load.running():
        end = time.monotonic() + load.limit_seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            ready = load.samples[shown:]
            shown += len(ready)
            for sample in ready:
                print(json.dumps(asdict(sample)))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
