"""The sample seen from outside: HTTPS to a Gateway of the cluster, and what its proxies logged."""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskservice_demo.load import PASSWORD, Target
from testkit.live import Live

PROXIES = "envoy-gateway-system"
HOST = "tasks.example.org"
REVISION = "x-taskservice-revision"
ADMIN_PORT = 19000
"""Of Envoy, on the loopback of the proxy's pod only."""
TLS_SECRET = "taskservice-tls"


@dataclass(frozen=True)
class Answer:
    """``headers`` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def by_service(self) -> bool:
        """Whether a service was asked: each of its answers names its revision."""
        return REVISION in self.headers


@dataclass
class Edge:
    """The Gateway ``taskservice`` of a namespace.  ``address``: what its status says."""

    live: Live
    address: str
    host: str = HOST
    _tokens: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def target(self, *more_authorities: str) -> Target:
        return Target(self.address, 443, self.host, self.certificate() + "".join(more_authorities))

    def certificate(self) -> str:
        """The certificate that the Secret holds now, in PEM."""
        secret = self.live.get("secret", TLS_SECRET) or {}
        return base64.b64decode(secret["data"]["tls.crt"]).decode()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Sequence[bytes] | Mapping[str, Any] | None = None,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        host: str = "",
        plain: bool = False,
    ) -> Answer:
        """One request over a connection of its own: by TLS to port 443, or ``plain`` to port 80.

        A ``body`` in pieces is sent without its length.
        """
        target = Target(self.address, 80) if plain else self.target()
        sent = {"Host": host or self.host, **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if isinstance(body, Mapping):
            sent["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        connection = target.connection()
        try:
            connection.request(method, path, body=body, headers=sent)
            return _read(connection.getresponse())
        finally:
            connection.close()

    def token(self) -> str:
        """The access token of a new user."""
        account = {"email": f"edge-{time.time_ns():x}-{next(self._tokens)}@example.org", "password": PASSWORD}
        registered = self.ask("POST", "/v1/auth/register", body=account)
        assert registered.status == 201, registered
        return self.ask("POST", "/v1/auth/login", body=account).document["access_token"]

    def logged(self, matches: Callable[[dict[str, Any]], bool], seconds: float = 40) -> dict[str, Any]:
        """The first line of the proxies' access log that matches; proxies write it within ten seconds."""
        labels = f"gateway.envoyproxy.io/owning-gateway-namespace={self.live.namespace}"
        end = time.monotonic() + seconds
        while True:
            text = self.live.stage.kubectl(
                "logs", "-n", PROXIES, "-l", labels, "-c", "envoy", "--tail=400", "--prefix=false"
            )
            for line in text.splitlines():
                entry = json.loads(line) if line.startswith("{") else {}
                if entry.get("event") == "edge_request" and matches(entry):
                    return entry
            assert time.monotonic() < end, f"no such line; the last ones:\n{text[-2000:]}"
            time.sleep(1)

    def upstreams(self, route: str, rule: int = 0) -> set[str]:
        """The addresses of pods to which a proxy sends the requests of a rule of a route, as it says itself."""
        labels = f"gateway.envoyproxy.io/owning-gateway-namespace={self.live.namespace}"
        proxy = self.live.stage.kubectl("get", "pods", "-n", PROXIES, "-l", labels, "-o", "name").split()[0]
        forward = [*self.live.stage.kubectl.base, "port-forward", "-n", PROXIES, proxy, f":{ADMIN_PORT}"]
        with _forwarded(forward) as port:
            answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/clusters?format=json", timeout=10)
            with answer:
                clusters = json.load(answer)["cluster_statuses"]
        return {
            host["address"]["socket_address"]["address"]
            for cluster in clusters
            if cluster["name"] == f"httproute/{self.live.namespace}/{route}/rule/{rule}"
            for host in cluster.get("host_statuses", ())
        }


@contextmanager
def _forwarded(command: Sequence[str | Path]) -> Iterator[int]:
    """The local port of a ``kubectl port-forward``, which ends with the context."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", said)
            assert found, f"no port was forwarded: {said}"
            yield int(found[1])
        finally:
            process.terminate()


def _read(response: http.client.HTTPResponse) -> Answer:
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
