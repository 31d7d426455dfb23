"""What is reachable from outside, and nothing else is; bounds, headers and the log line of what is."""

from __future__ import annotations

import json
import secrets
import socket
import time

import pytest

from testkit.edge_client import PROXIES, Edge

NOT_OURS = ["/", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json", "/v1", "/v1/tasksandmore", "/v2/tasks"]


@pytest.fixture(scope="module")
def token(edge: Edge) -> str:
    return edge.token()


def test_each_path_leads_to_its_service(edge: Edge, token: str) -> None:
    revisions = {name: edge.live.active(name) for name in ("auth", "tasks")}
    for path in ("/v1/tasks", "/v1/activity"):
        assert edge.ask("GET", path, token=token).headers["x-taskservice-revision"] == revisions["tasks"]
    assert edge.ask("GET", "/v1/auth/me", token=token).headers["x-taskservice-revision"] == revisions["auth"]
    assert edge.ask("GET", "/.well-known/jwks.json").headers["x-taskservice-revision"] == revisions["auth"]
    created = edge.ask("POST", "/v1/tasks", body={"title": "from outside"}, token=token)
    assert created.status == 201
    assert edge.ask("DELETE", created.headers["location"], token=token).status == 204


@pytest.mark.parametrize("path", [*NOT_OURS, "/v1/tasks/../../metrics", "/v1/tasks/..;/metrics/../../../readyz"])
def test_everything_else_is_a_404_of_the_edge(edge: Edge, token: str, path: str) -> None:
    answer = edge.ask("GET", path, token=token)
    assert answer.status == 404
    assert answer.document["type"] == "urn:taskservice:problem:not-found"
    assert not answer.by_service


def test_another_host_is_not_served(edge: Edge, token: str) -> None:
    answer = edge.ask("GET", "/v1/tasks", token=token, host="bank.example.org")
    assert answer.status == 404
    assert not answer.by_service


@pytest.mark.parametrize("path", ["/v1/tasks%2f..%2f..%2fmetrics", "/v1%5ctasks"])
def test_an_escaped_slash_is_refused(edge: Edge, token: str, path: str) -> None:
    answer = edge.ask("GET", path, token=token)
    assert answer.status == 400
    assert not answer.by_service


def test_neither_the_management_port_nor_the_proxys_own_ports_are_open(edge: Edge) -> None:
    labels = f"gateway.envoyproxy.io/owning-gateway-namespace={edge.live.namespace}"
    (service,) = (edge.live.stage.kubectl.get("services", "-n", PROXIES, "-l", labels) or {})["items"]
    assert service["spec"]["clusterIP"] == edge.address
    assert {port["port"] for port in service["spec"]["ports"]} == {80, 443}
    for port in (9090, 8000, 19000, 19001):
        with pytest.raises(OSError):
            socket.create_connection((edge.address, port), timeout=2)


def test_a_body_up_to_the_limit_arrives_and_one_byte_more_does_not(edge: Edge, token: str) -> None:
    def body(size: int) -> bytes:
        document = json.dumps({"title": "x", "padding": ""}).encode()
        return document[:-2] + b"p" * (size - len(document)) + document[-2:]

    headers = {"Content-Type": "application/json"}
    fits = edge.ask("POST", "/v1/tasks", body=body(64 * 1024), token=token, headers=headers)
    assert fits.by_service
    assert fits.status != 413
    answer = edge.ask("POST", "/v1/tasks", body=body(64 * 1024 + 1), token=token, headers=headers)
    assert answer.status == 413
    assert answer.document["type"] == "urn:taskservice:problem:payload-too-large"
    assert not answer.by_service


def test_a_body_whose_length_is_not_declared_is_bounded_too(edge: Edge, token: str) -> None:
    pieces = [b"x" * 8192] * 9
    answer = edge.ask("POST", "/v1/tasks", body=pieces, token=token, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.by_service) == (413, False)


def test_who_dawdles_over_the_headers_loses_the_connection(edge: Edge) -> None:
    connection = edge.target().connection()
    connection.timeout = 60
    try:
        connection.connect()
        connection.sock.sendall(b"GET /v1/tasks HTTP/1.1\r\nHost: tasks.example.org\r\nX-Slow: ")
        began = time.monotonic()
        answer = connection.sock.recv(4096)
        assert answer == b"" or b" 408 " in answer
        assert time.monotonic() - began > 5  # not for another reason
    finally:
        connection.close()


def test_headers_are_bounded(edge: Edge, token: str) -> None:
    answer = edge.ask("GET", "/v1/tasks", token=token, headers={"X-Large": "x" * 70_000})
    assert answer.status == 431
    assert not answer.by_service


@pytest.mark.parametrize(("path", "status"), [("/v1/tasks", 200), ("/nothing-here", 404), ("/v1/auth/me", 401)])
def test_security_headers_are_on_every_answer(edge: Edge, token: str, path: str, status: int) -> None:
    answer = edge.ask("GET", path, token="" if status == 401 else token)
    assert answer.status == status
    headers = answer.headers
    assert int(headers["strict-transport-security"].partition("max-age=")[2]) >= 31_536_000
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not {"server", "x-powered-by", "x-envoy-upstream-service-time"} & set(headers)


def test_the_line_in_the_access_log_carries_the_callers_trace(edge: Edge, token: str) -> None:
    trace, answer = secrets.token_hex(16), None
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    answer = edge.ask("GET", "/v1/tasks?limit=7&secret=hunter2", token=token, headers=headers)
    assert answer.status == 200
    line = edge.logged(lambda entry: entry["trace_id"] == trace)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v1/tasks", 200)
    assert line["client_ip"]
    assert line["user"]
    assert line["revision"] == edge.live.active("tasks")
    assert "hunter2" not in json.dumps(line)
    assert token not in json.dumps(line)
    assert in_the_services_log(edge, trace)


def test_a_request_without_a_trace_gets_one_that_the_service_logs_too(edge: Edge, token: str) -> None:
    answer = edge.ask("GET", "/v1/tasks", token=token)
    line = edge.logged(lambda entry: entry["request_id"] == answer.headers["x-request-id"])
    assert len(line["trace_id"]) == 32
    assert in_the_services_log(edge, line["trace_id"])


def in_the_services_log(edge: Edge, trace: str) -> bool:
    text = edge.live.kubectl("logs", "-l", "taskservice.dev/name=tasks", "--tail=2000", "--all-containers")
    return any(trace in line for line in text.splitlines())
