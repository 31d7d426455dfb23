"""The port between sessions and a Vault, real or in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from taskservice_operator.core.model import VaultTrouble


class Troubled(Exception):
    """Vault did not do what it was asked; ``trouble`` says why, in the core's words."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"{cause} {detail}".rstrip())
        self.trouble = VaultTrouble(cause, detail)


@dataclass(frozen=True)
class Login:
    """A token of Vault's own: good for ``lease_seconds`` from now (0: for ever), and longer if ``renewable``."""

    token: str = field(repr=False)
    lease_seconds: float
    renewable: bool


class VaultPort(Protocol):
    """Everything that is asked of Vault.  Every method may raise :class:`Troubled`, none takes longer than a bound."""

    async def login(self, role: str, proof: str) -> Login:
        """Log in by Kubernetes authentication; ``proof`` is a ServiceAccount's token."""
        ...

    async def renew(self, token: str) -> Login:
        """Prolong a token.  Refused when it has expired, has reached its longest life, or its role is no more."""
        ...

    async def read(self, token: str, mount: str, path: str) -> Mapping[str, str]:
        """The latest version of a secret in a key/value store (version 2): its values in base64.

        A value that is no text is given as JSON.  ``VaultDenied`` also when the token is not good any more.
        """
        ...

    async def revoke(self, token: str) -> None:
        """End a token."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
