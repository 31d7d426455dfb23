"""The secret by which services know each other: a bearer token, compared in constant time.

It says that the caller is one of us, not which one, and it is as secret as the connection that carries it: encryption
between pods is left to the mesh or the network.
"""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from taskservice.kit.errors import Problem

SCHEME = "Bearer "


class NotAService(Problem):
    status, code, title = 401, "not-a-service", "A service token is needed, and this is not one"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class ServiceToken:
    """Accepts any of a few tokens: the current one, and while it is being replaced the one before."""

    def __init__(self, accepted: Sequence[SecretStr]) -> None:
        self._accepted = [token.get_secret_value().encode() for token in accepted]

    def accepts(self, authorization: str | None) -> bool:
        """Whether this value of the header or metadata `authorization` carries an accepted token."""
        if authorization is None or not authorization.startswith(SCHEME):
            return False
        given = authorization[len(SCHEME) :].encode("utf-8", "replace")
        # Each is compared, so that the time tells nothing of which one was nearly right.
        return sum(hmac.compare_digest(given, token) for token in self._accepted) > 0

    def require(self, authorization: str | None) -> None:
        """Raises NotAService."""
        if not self.accepts(authorization):
            raise NotAService


def header(token: SecretStr) -> str:
    """The value to send."""
    return SCHEME + token.get_secret_value()
