"""A ServiceAccount's token: for one audience, for minutes, by a request that stores nothing."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.cluster.tokens import request_token

pytestmark = pytest.mark.anyio


class Played:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any] | None]] = []

    async def request(self, method: str, path: str, *, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self.sent.append((method, path, body))
        return {"status": {"token": "signed", "expirationTimestamp": "2026-01-01T00:00:00Z"}}


async def test_a_token_is_asked_for_one_audience_and_the_shortest_time() -> None:
    api = Played()
    assert await request_token(api, "vault", "shop", "web") == "signed"
    ((method, path, body),) = api.sent
    assert (method, path) == ("POST", "/api/v1/namespaces/shop/serviceaccounts/web/token")
    assert body is not None
    assert body["spec"] == {"audiences": ["vault"], "expirationSeconds": 600}
