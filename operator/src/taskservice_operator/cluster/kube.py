"""The transport: JSON in, JSON out, one shared connection pool, explicit time-outs, typed errors.

The only module that imports the client library.  It uses the library for what is hard (kubeconfig and service
account logins, token refresh, TLS) and not for what is easy: paths of the dozen kinds we know are a table
(``kinds``), so that starting needs no discovery requests and no discovery cache on disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from taskservice_operator.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Transient,
)

Json = dict[str, Any]

READ_SECONDS = 15.0
WRITE_SECONDS = 5.0
"""Shorter than the time between our giving up the lease and somebody else's taking it (``lease``)."""
CONNECT_SECONDS = 4.0
PAGE = 500
"""Objects per page of a list: bounds both memory and the time one JSON document blocks the event loop."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_CONNECTIONS = 64


@dataclass(frozen=True)
class Credentials:
    """How to reach and convince the API server; for whoever keeps connections of their own."""

    server: str
    ca_path: str | None
    insecure: bool
    token: str | None
    certificate_path: str | None
    key_path: str | None


class KubeApi:
    """A connection to one API server.  Close it when done."""

    def __init__(self, configuration: Any) -> None:
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.retries = None  # the work queue retries, with the state of then
        self._configuration = configuration
        self._client = client.ApiClient(configuration)
        self._client.user_agent = "taskservice-operator"

    @classmethod
    async def connect(cls, kubeconfig: str | None = None) -> KubeApi:
        """Use the kubeconfig that is named, or else the pod's service account, or else the default kubeconfig.

        Raises :class:`Transient` if there is none.
        """
        configuration = client.Configuration()
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(client_configuration=configuration)
            else:
                await config.load_kube_config(kubeconfig, client_configuration=configuration, persist_config=False)
        except config.ConfigException as error:
            raise Transient(f"neither a service account nor a kubeconfig is usable: {error}") from error
        return cls(configuration)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def credentials(self) -> Credentials:
        """The present credentials; a service account's token is read anew."""
        configuration = self._configuration
        header = await configuration.get_api_key_with_prefix("BearerToken")
        return Credentials(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            token=header.partition(" ")[2] or header if header else None,
            certificate_path=configuration.cert_file,
            key_path=configuration.key_file,
        )

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Json:
        """Read one document, consistently."""
        return await self.request("GET", path, query=query, seconds=READ_SECONDS)

    async def list(self, path: str, selector: str | None = None) -> list[Json]:
        """Read a whole collection, consistently and in pages.  Items carry neither kind nor version on the wire."""
        items: list[Json] = []
        query: dict[str, Any] = {"limit": PAGE, **({"labelSelector": selector} if selector else {})}
        while True:
            page = await self.get(path, query)
            head = {"apiVersion": page["apiVersion"], "kind": page["kind"].removesuffix("List")}
            items += [{**head, **item} for item in page.get("items") or ()]
            query["continue"] = page["metadata"].get("continue")
            if not query["continue"]:
                return items

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
        seconds: float = WRITE_SECONDS,
    ) -> Json:
        """Send one request and return its document.  Raises a :class:`ClusterError` for anything but success."""
        headers = {"Accept": JSON, "Content-Type": content_type}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            request = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = await self._client.call_api(*request, _request_timeout=timeout)
            content = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            # The answer is lost, not necessarily the request: callers must be able to repeat it.
            raise Transient(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from error
        document = _document(content)
        if response.status >= 300:
            raise error_of(response.status, document, response.headers, f"{method} {path}")
        return document


def error_of(status: int, document: Json, headers: Mapping[str, str], request: str) -> ClusterError:
    """The error that an answer means; ``document`` is the server's Status object."""
    message = str(document.get("message") or f"{request}: the API server answered {status}")
    match status:
        case 404:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 400 | 422:
            return Invalid(message)
        case 403:
            return Forbidden(message)
        case 500 if "failed to create typed patch object" in message:
            return Invalid(message)  # a manifest with a field its kind does not have
    return Transient(message, _retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _document(content: bytes) -> Json:
    try:
        document = json.loads(content) if content else {}
    except ValueError:
        document = {"message": content[:500].decode("utf-8", "replace")}
    return document if isinstance(document, dict) else {"items": document}
