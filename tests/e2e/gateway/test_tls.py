"""The way in is encrypted, and a certificate is changed without anybody noticing."""

from __future__ import annotations

import socket
import ssl

import pytest

from taskservice_demo.load import Load
from taskservice_local.commands import wait_for
from testkit.edge_client import HOST, Edge
from testkit.edge_tls import handshake, make_certificate, put_certificate, shown

ENOUGH = 300


def test_the_gateway_shows_the_certificate_of_the_secret(edge: Edge) -> None:
    assert shown(edge, edge.certificate()).split() == edge.certificate().split()


def test_a_client_that_does_not_know_the_certificate_or_asks_for_another_name_is_warned(edge: Edge) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        handshake(edge, make_certificate()[0])
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(edge, edge.certificate(), "bank.example.org")


def test_http_2_is_offered_and_anything_older_than_tls_1_2_is_not(edge: Edge) -> None:
    with handshake(edge, edge.certificate(), HOST, "h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() == "TLSv1.3"
    context = ssl.create_default_context(cadata=edge.certificate())
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection((edge.address, 443), timeout=10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=HOST)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_in_the_clear_is_sent_to_https_and_no_further(edge: Edge, method: str) -> None:
    answer = edge.ask(method, "/v1/tasks?limit=1", plain=True)
    assert answer.status == 308
    assert answer.headers["location"] == f"https://{HOST}/v1/tasks?limit=1"
    assert not answer.by_service
    assert "strict-transport-security" not in answer.headers  # means nothing, and may not be sent, in the clear


def test_a_certificate_is_changed_under_load_without_a_failed_request(edge: Edge) -> None:
    before = edge.certificate()
    after, key = make_certificate()
    target = edge.target(after)
    load = Load(target, target, keep_alive=4, fresh=6, rate=80, limit_seconds=180)
    with load.running():
        wait_for("requests before", lambda: len(load.samples) > ENOUGH, 90)
        put_certificate(edge, after, key)
        wait_for("the new certificate", lambda: shown(edge, before + after).split() == after.split(), 90)
        changed = len(load.samples)
        wait_for("requests after", lambda: len(load.samples) > changed + ENOUGH, 90)
    assert load.failures() == []
