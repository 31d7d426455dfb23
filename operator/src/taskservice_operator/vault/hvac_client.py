"""The real Vault, asked through hvac on a few threads of its own, because hvac waits for every answer.

What hvac and requests raise differs from attempt to attempt (addresses of objects, request ids) and may quote answers:
it is sorted into causes and a few fixed words here, and goes no further.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import hvac
import hvac.exceptions
import requests

from taskservice_operator.vault.port import Login, Troubled

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
"""Between two pieces of an answer."""
WHOLE_SECONDS = 20.0
"""For one request from its start on, waiting for a thread included."""

_REFUSALS = (
    ("service account name not authorized", "the role is bound to another ServiceAccount"),
    ("namespace not authorized", "the role is bound to another namespace"),
    ("audience", "the role wants another audience than the token has"),
    ("lookup failed", "the API server does not know the token"),
)
"""What Vault says of a refused login, and what we say: its words change with versions, and may quote the token."""


class HvacVault:
    """The :class:`~port.VaultPort` of a Vault at ``address``.

    ``auth_mount``: where its Kubernetes authentication is.  ``ca_file`` empty: the certificates that the system trusts.
    Neither environment variables nor files of the Vault command line are looked at, nor are redirects followed: they
    would carry a token to whatever place they name.
    """

    def __init__(self, address: str, *, auth_mount: str = "kubernetes", ca_file: str = "", threads: int = 4) -> None:
        self._address = address
        self._auth_mount = auth_mount
        self._verify: str | bool = ca_file or True
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="vault")
        self._of_thread = threading.local()

    async def login(self, role: str, proof: str) -> Login:
        """See :meth:`~port.VaultPort.login`."""
        answer = await self._ask(
            "", lambda c: c.auth.kubernetes.login(role, proof, use_token=False, mount_point=self._auth_mount), _of_login
        )
        return _login(answer)

    async def renew(self, token: str) -> Login:
        """See :meth:`~port.VaultPort.renew`."""
        return _login(await self._ask(token, lambda c: c.auth.token.renew_self(), _of_renewal))

    async def read(self, token: str, mount: str, path: str) -> Mapping[str, str]:
        """See :meth:`~port.VaultPort.read`."""

        def read(client: hvac.Client) -> Any:
            return client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)

        answer = await self._ask(token, read, _of_reading)
        data = (answer.get("data") or {}).get("data")
        if not isinstance(data, dict):
            raise Troubled("VaultSecretUnusable", "it does not come from a key/value store of version 2")
        return {key: _encoded(value) for key, value in data.items()}

    async def revoke(self, token: str) -> None:
        """See :meth:`~port.VaultPort.revoke`."""
        await self._ask(token, lambda c: c.auth.token.revoke_self(), _of_renewal)

    async def close(self) -> None:
        """See :meth:`~port.VaultPort.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(
        self,
        token: str,
        request: Callable[[hvac.Client], Any],
        sort: Callable[[hvac.exceptions.VaultError], Troubled],
    ) -> dict[str, Any]:
        """One request on a thread.  Raises :class:`Troubled` and nothing else."""
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._threads, partial(self._request, token, request))
            answer = await asyncio.wait_for(running, WHOLE_SECONDS)
        except hvac.exceptions.VaultError as error:
            raise (_down(error) or sort(error)) from None
        except requests.exceptions.SSLError:
            raise Troubled("VaultUnreachable", "its certificate is not trusted: give the operator its CA") from None
        except (requests.exceptions.Timeout, TimeoutError):
            raise Troubled("VaultUnreachable", "no answer in time") from None
        except requests.exceptions.RequestException:
            raise Troubled("VaultUnreachable", "no connection") from None
        if isinstance(answer, requests.Response):
            if answer.status_code == 204:
                return {}
            raise Troubled("VaultUnreachable", f"it answers with status {answer.status_code}, and no JSON")
        return answer

    def _request(self, token: str, request: Callable[[hvac.Client], Any]) -> Any:
        client: hvac.Client | None = getattr(self._of_thread, "client", None)
        if client is None:
            session = requests.Session()
            session.trust_env = False
            session.verify = self._verify
            client = self._of_thread.client = hvac.Client(
                self._address,
                token="",  # not None, which would mean that of the environment
                verify=self._verify,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),  # pyright: ignore[reportArgumentType] — it is for requests
                allow_redirects=False,
                session=session,
            )
        client.token = token
        return request(client)


def _login(answer: Mapping[str, Any]) -> Login:
    auth = answer["auth"]
    return Login(auth["client_token"], float(auth["lease_duration"]), bool(auth["renewable"]))


def _encoded(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def _down(error: hvac.exceptions.VaultError) -> Troubled | None:
    """A Vault that is there and cannot work, whatever it was asked; None for any other refusal."""
    match error:
        case hvac.exceptions.VaultDown():
            return Troubled("VaultSealed") if "sealed" in _said(error) else Troubled("VaultUnreachable", "status 503")
        case hvac.exceptions.VaultNotInitialized():
            return Troubled("VaultUnreachable", "it is not initialized")
        case hvac.exceptions.RateLimitExceeded():
            return Troubled("VaultUnreachable", "it limits how often it is asked")
        case hvac.exceptions.BadGateway():
            return Troubled("VaultUnreachable", "status 502")
        case hvac.exceptions.InternalServerError() if "active" in _said(error) and "node" in _said(error):
            return Troubled("VaultUnreachable", "it has no active node")
    return None


def _of_login(error: hvac.exceptions.VaultError) -> Troubled:
    said = _said(error)
    if "invalid role name" in said:
        return Troubled("VaultRoleMissing")
    if isinstance(error, hvac.exceptions.InvalidPath):
        return Troubled("VaultLoginRefused", "there is no Kubernetes authentication where the operator looks for it")
    detail = next((ours for theirs, ours in _REFUSALS if theirs in said), "")
    if isinstance(error, hvac.exceptions.InternalServerError | hvac.exceptions.UnexpectedError):
        detail = detail or "it could not review the ServiceAccount's token"
    return Troubled("VaultLoginRefused", detail)


def _of_renewal(error: hvac.exceptions.VaultError) -> Troubled:
    return Troubled("VaultDenied", "the token")


def _of_reading(error: hvac.exceptions.VaultError) -> Troubled:
    if isinstance(error, hvac.exceptions.Forbidden):
        return Troubled("VaultDenied")
    if isinstance(error, hvac.exceptions.InvalidPath):
        if "no handler for route" in _said(error):
            return Troubled("VaultSecretMissing", "nothing is mounted there")
        document = error.json if isinstance(error.json, dict) else {}
        is_deleted = bool((document.get("data") or {}).get("metadata"))
        return Troubled("VaultSecretMissing", "its latest version is deleted" if is_deleted else "")
    if isinstance(error, hvac.exceptions.InvalidRequest):
        return Troubled("VaultSecretUnusable", "Vault cannot read it as a secret of a key/value store of version 2")
    return Troubled("VaultUnreachable", "it fails at reading")


def _said(error: hvac.exceptions.VaultError) -> str:
    return f"{' '.join(str(each) for each in error.errors or ())} {error.args[0] if error.args else ''}".lower()
