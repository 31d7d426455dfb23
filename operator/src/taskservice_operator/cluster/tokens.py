"""Tokens of ServiceAccounts, by the API server's TokenRequest: for one audience, and for minutes only."""

from __future__ import annotations

from typing import Any, Protocol

SECONDS = 600
"""The shortest life the API server gives.  It is used once, at once."""


class TokenApi(Protocol):
    """What of the transport we need."""

    async def request(self, method: str, path: str, *, body: dict[str, Any] | None = None) -> dict[str, Any]: ...


async def request_token(api: TokenApi, audience: str, namespace: str, account: str) -> str:
    """A token with which ``account`` can prove who it is to ``audience``, and to nobody else.

    Nothing is stored by this request.  Raises NotFound when there is no such ServiceAccount, Forbidden when we may not
    ask, and any other ClusterError.
    """
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    spec = {"audiences": [audience], "expirationSeconds": SECONDS}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await api.request("POST", path, body=body)
    return answer["status"]["token"]
