"""The way in, added to a platform that is up: the sample is reached through it, by TLS only."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from typing import Any


def ask(gateway: str, authority: str, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """Status and document of one request, whose certificate has to be the one that the Secret holds."""
    context = ssl.create_default_context(cadata=authority)
    # Whichever name is served: the address has none.
    context.check_hostname = False
    connection = http.client.HTTPSConnection(gateway, 443, timeout=20, context=context)
    headers = {"Content-Type": "application/json", "Host": "taskservice.localhost"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def certificate(platform) -> str:
    words = ("get", "secret", "taskservice-tls", "-n", "apps", "-o", r"jsonpath={.data.tls\.crt}")
    return base64.b64decode(platform.kubectl(*words)).decode()


def test_a_user_signs_in_and_makes_a_task_through_the_gateway(platform, gateway) -> None:
    authority = certificate(platform)
    account = {"email": f"way-in-{time.time_ns():x}@example.org", "password": "correct horse battery staple"}
    platform.until("its routes are served", lambda: ask(gateway, authority, "GET", "/.well-known/jwks.json")[0] == 200)
    assert ask(gateway, authority, "POST", "/v1/auth/register", account)[0] == 201
    token = ask(gateway, authority, "POST", "/v1/auth/login", account)[1]["access_token"]
    assert ask(gateway, authority, "POST", "/v1/tasks", {"title": "through the gateway"}, token)[0] == 201
    status, page = ask(gateway, authority, "GET", "/v1/tasks", token=token)
    assert status == 200
    assert "through the gateway" in json.dumps(page)


def test_without_a_token_or_without_tls_nothing_is_answered(platform, gateway) -> None:
    assert ask(gateway, certificate(platform), "GET", "/v1/tasks")[0] == 401
    plain = http.client.HTTPConnection(gateway, 80, timeout=20)
    plain.request("GET", "/v1/tasks", headers={"Host": "taskservice.localhost"})
    answer = plain.getresponse()
    assert (answer.status, (answer.getheader("Location") or "").split(":")[0]) == (308, "https")
    plain.close()


def test_another_run_leaves_the_gateway_and_its_certificate_as_they_are(platform, gateway) -> None:
    before = certificate(platform)
    told = platform.ok("up", "apps")
    for word in ("created", "changed", "deleted", "replaced"):
        assert f" {word}" not in told, told
    assert certificate(platform) == before
