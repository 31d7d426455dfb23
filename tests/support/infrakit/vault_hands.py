"""What an administrator of the stack's Vault does, for tests: with a token made from the keys that the keeper holds."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class VaultHands:
    """Hands on a Vault at ``address`` (``host:port``, plain HTTP) that ``share`` opens."""

    def __init__(self, address: str, share: str) -> None:
        self._address = address
        self._share = share
        self._token = ""

    @contextmanager
    def as_root(self) -> Iterator[None]:
        """Hold a root token, which ends on the way out."""
        attempt = self._ask("PUT", "/v1/sys/generate-root/attempt", {})
        update = {"key": self._share, "nonce": attempt["nonce"]}
        made = self._ask("PUT", "/v1/sys/generate-root/update", update)["encoded_root_token"]
        mixed = base64.b64decode(made + "=" * (-len(made) % 4))
        self._token = bytes(one ^ other for one, other in zip(mixed, attempt["otp"].encode(), strict=True)).decode()
        try:
            yield
        finally:
            self._ask("POST", "/v1/auth/token/revoke-self", {})
            self._token = ""

    def read(self, path: str) -> dict[str, str]:
        """The latest version of a secret of the mount ``secret``."""
        return self._ask("GET", f"/v1/secret/data/{path}")["data"]["data"]

    def write(self, path: str, values: Mapping[str, str]) -> None:
        """A new version of a secret."""
        self._ask("POST", f"/v1/secret/data/{path}", {"data": dict(values)})

    def sealed(self) -> bool:
        """Whether it says that it is sealed; one that does not answer is not known to be."""
        try:
            return bool(self._ask("GET", "/v1/sys/seal-status")["sealed"])
        except OSError:
            return False

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        headers = {"X-Vault-Token": self._token} if self._token else {}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text.decode(errors='replace')[:300]}"
        return json.loads(text) if text else {}
