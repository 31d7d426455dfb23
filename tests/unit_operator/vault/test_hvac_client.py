"""What hvac and the network say, sorted into causes; asked of a small server that says what a test wants to hear."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from taskservice_operator.vault import hvac_client
from taskservice_operator.vault.hvac_client import HvacVault
from testkit.edge_tls import make_certificate
from testkit.vault_contract import plain, trouble

pytestmark = pytest.mark.anyio

TOKEN = "hvs.very-secret"


@dataclass
class Said:
    """A server that answers everything alike.  ``seen``: method, path and token header of each request."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path, request.headers.get("X-Vault-Token")))
        self.bodies.append(await request.json() if request.can_read_body else None)
        if self.hangs:
            await asyncio.sleep(5)
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        headers = {"Content-Type": "application/json", **self.headers}  # as Vault writes it, without a character set
        return web.Response(body=json.dumps(self.body).encode(), status=self.status, headers=headers)


@pytest.fixture
async def said() -> AsyncIterator[Said]:
    said = Said()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", said.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    said.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield said
    await runner.cleanup()


@pytest.fixture
async def vault(said: Said) -> AsyncIterator[HvacVault]:
    vault = HvacVault(said.url, threads=1)
    yield vault
    await vault.close()


def errors(*words: str) -> dict[str, list[str]]:
    return {"errors": list(words)}


async def test_values_come_in_base64_and_others_than_text_as_json(said: Said, vault: HvacVault) -> None:
    said.body = {"data": {"data": {"text": "a", "number": 1, "flag": True, "list": ["b"]}, "metadata": {}}}
    assert plain(await vault.read(TOKEN, "secret", "a/b")) == {
        "text": "a",
        "number": "1",
        "flag": "true",
        "list": '["b"]',
    }
    assert said.seen == [("GET", "/v1/secret/data/a/b", TOKEN)]


async def test_a_login_names_the_role_and_the_mount_and_keeps_no_token(said: Said) -> None:
    said.body = {"auth": {"client_token": TOKEN, "lease_duration": 60, "renewable": False}}
    vault = HvacVault(said.url, auth_mount="clusters/one")
    login = await vault.login("shop-web", "proof")
    assert (login.token, login.lease_seconds, login.renewable) == (TOKEN, 60.0, False)
    await vault.login("shop-web", "proof")
    await vault.close()
    assert said.seen == [("POST", "/v1/auth/clusters/one/login", None)] * 2
    assert said.bodies[0] == {"role": "shop-web", "jwt": "proof"}


async def test_neither_the_environment_nor_the_command_lines_file_has_a_token_for_us(
    said: Said, vault: HvacVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".vault-token").write_text("from-the-file")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", "from-the-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    said.body = {"auth": {"client_token": TOKEN, "lease_duration": 60, "renewable": False}}
    await vault.login("r", "proof")
    assert said.seen[0][2] is None


READ = {
    "denied": (403, errors("permission denied"), ("VaultDenied", "")),
    "missing": (404, errors(), ("VaultSecretMissing", "")),
    "deleted": (
        404,
        {"data": {"data": None, "metadata": {"deletion_time": "2026-01-01T00:00:00Z", "version": 2}}},
        ("VaultSecretMissing", "its latest version is deleted"),
    ),
    "no mount": (404, errors("no handler for route"), ("VaultSecretMissing", "nothing is mounted there")),
    "sealed": (503, errors("Vault is sealed"), ("VaultSealed", "")),
    "overloaded": (503, errors("busy"), ("VaultUnreachable", "status 503")),
    "not initialized": (501, errors("x"), ("VaultUnreachable", "it is not initialized")),
    "limited": (429, errors("x"), ("VaultUnreachable", "it limits how often it is asked")),
    "proxy": (502, "<html>", ("VaultUnreachable", "status 502")),
    "electing": (
        500,
        errors("local node not active but active cluster node not found"),
        ("VaultUnreachable", "it has no active node"),
    ),
    "crashed": (500, errors("secret words"), ("VaultUnreachable", "it fails at reading")),
    "web page": (200, "<html>", ("VaultUnreachable", "it answers with status 200, and no JSON")),
    "version 1": (
        200,
        {"data": {"password": "x"}},
        ("VaultSecretUnusable", "it does not come from a key/value store of version 2"),
    ),
}


@pytest.mark.parametrize("case", READ)
async def test_what_is_said_to_a_read_becomes_a_cause(case: str, said: Said, vault: HvacVault) -> None:
    said.status, said.body, expected = READ[case]
    assert await trouble(vault.read(TOKEN, "secret", "a")) == expected


LOGIN = {
    "no role": (400, errors('invalid role name "x"'), ("VaultRoleMissing", "")),
    "account": (
        403,
        errors("service account name not authorized"),
        ("VaultLoginRefused", "the role is bound to another ServiceAccount"),
    ),
    "namespace": (
        403,
        errors("namespace not authorized"),
        ("VaultLoginRefused", "the role is bound to another namespace"),
    ),
    "no reason": (403, errors("permission denied"), ("VaultLoginRefused", "")),
    "no mount": (
        404,
        errors("no handler for route"),
        ("VaultLoginRefused", "there is no Kubernetes authentication where the operator looks for it"),
    ),
    "no review": (
        500,
        errors("Post https://10.0.0.1: x509"),
        ("VaultLoginRefused", "it could not review the ServiceAccount's token"),
    ),
    "sealed": (503, errors("Vault is sealed"), ("VaultSealed", "")),
}


@pytest.mark.parametrize("case", LOGIN)
async def test_what_is_said_to_a_login_becomes_a_cause(case: str, said: Said, vault: HvacVault) -> None:
    said.status, said.body, expected = LOGIN[case]
    assert await trouble(vault.login("x", "proof")) == expected


async def test_a_redirect_is_not_followed_because_it_would_carry_the_token_along(said: Said, vault: HvacVault) -> None:
    said.status, said.headers = 307, {"Location": "http://127.0.0.1:9/v1/secret/data/a"}
    cause, detail = await trouble(vault.read(TOKEN, "secret", "a"))
    assert (cause, "307" in detail) == ("VaultUnreachable", True)
    assert len(said.seen) == 1


async def test_nobody_there_is_told_from_no_answer(
    said: Said, vault: HvacVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = HvacVault("http://127.0.0.1:9")
    assert await trouble(nobody.read(TOKEN, "secret", "a")) == ("VaultUnreachable", "no connection")
    await nobody.close()
    monkeypatch.setattr(hvac_client, "ANSWER_SECONDS", 0.05)
    said.hangs = True
    assert await trouble(vault.read(TOKEN, "secret", "a")) == ("VaultUnreachable", "no answer in time")


async def test_a_thread_that_hangs_does_not_hold_up_the_loop_for_ever(
    said: Said, vault: HvacVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hvac_client, "WHOLE_SECONDS", 0.05)
    monkeypatch.setattr(hvac_client, "ANSWER_SECONDS", 0.5)
    said.hangs = True
    assert await trouble(vault.read(TOKEN, "secret", "a")) == ("VaultUnreachable", "no answer in time")


async def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("".join(make_certificate()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    vault = HvacVault(f"https://127.0.0.1:{runner.addresses[0][1]}")
    try:
        cause, detail = await trouble(vault.read(TOKEN, "secret", "a"))
    finally:
        await vault.close()
        await runner.cleanup()
    assert (cause, "certificate" in detail) == ("VaultUnreachable", True)


async def test_no_value_and_no_token_is_logged_or_part_of_an_error(
    said: Said, vault: HvacVault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said.body = {"data": {"data": {"password": "hunter2"}, "metadata": {}}}
    await vault.read(TOKEN, "secret", "a")
    said.status, said.body = 500, errors(f"cannot use {TOKEN} for hunter2")
    problem = await trouble(vault.read(TOKEN, "secret", "a"))
    assert "hunter2" not in caplog.text + str(problem)
    assert TOKEN not in caplog.text + str(problem)
