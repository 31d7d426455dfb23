"""A Vault in memory: roles, policies, versions, leases and seals, and a clock that only moves when told.

For tests and simulations.  A proof is what :meth:`MemoryVault.proof` makes, in place of a ServiceAccount's token.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskservice_operator.vault.port import Login, Troubled


@dataclass
class _Role:
    namespace: str
    account: str
    audience: str
    readable: set[tuple[str, str]]
    lease_seconds: float


@dataclass
class MemoryVault:
    """The :class:`~port.VaultPort`, and the hands of its administrator.

    ``requests``: what was asked so far, as ``login role``, ``renew role``, ``read mount/path`` and ``revoke role``.
    """

    now: float = 0.0
    sealed: bool = False
    reachable: bool = True
    requests: list[str] = field(default_factory=list)
    _roles: dict[str, _Role] = field(default_factory=dict)
    _secrets: dict[tuple[str, str], Mapping[str, str] | None] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _serial: int = 0

    # -- the administrator -----------------------------------------------------------------------------------------

    def write(self, mount: str, path: str, **values: str) -> None:
        """A new version of a secret."""
        self._secrets[mount, path] = values

    def delete_version(self, mount: str, path: str) -> None:
        """Delete the latest version of a secret."""
        self._secrets[mount, path] = None

    def make_role(
        self,
        role: str,
        namespace: str,
        account: str,
        *,
        audience: str = "vault",
        readable: tuple[tuple[str, str], ...] = (),
        lease_seconds: float = 600,
    ) -> None:
        """A role, and the policy of its name that may read ``(mount, path)`` of each ``readable``."""
        self._roles[role] = _Role(namespace, account, audience, set(readable), lease_seconds)

    def delete_role(self, role: str) -> None:
        """Its tokens live on until they end."""
        policy = self._roles.pop(role).readable
        self._roles[f"deleted {role}"] = _Role("", "", "", policy, 0)

    def deny(self, role: str, mount: str, path: str) -> None:
        """Take a path out of a policy."""
        self._roles[role].readable.discard((mount, path))

    def allow(self, role: str, mount: str, path: str) -> None:
        """Put a path into a policy."""
        self._roles[role].readable.add((mount, path))

    def revoke_all(self) -> None:
        """End every token at once."""
        self._tokens.clear()

    @staticmethod
    def proof(namespace: str, account: str, audience: str = "vault") -> str:
        """What stands for a ServiceAccount's token."""
        return f"{namespace}/{account}/{audience}"

    # -- the port --------------------------------------------------------------------------------------------------

    async def login(self, role: str, proof: str) -> Login:
        """See :meth:`~port.VaultPort.login`."""
        self._receive(f"login {role}")
        found = self._roles.get(role)
        if found is None:
            raise Troubled("VaultRoleMissing")
        namespace, account, audience = proof.split("/")
        if account != found.account:
            raise Troubled("VaultLoginRefused", "the role is bound to another ServiceAccount")
        if namespace != found.namespace:
            raise Troubled("VaultLoginRefused", "the role is bound to another namespace")
        if audience != found.audience:
            raise Troubled("VaultLoginRefused", "the role wants another audience than the token has")
        self._serial += 1
        token = f"token-{self._serial}"
        self._tokens[token] = (role, self.now + found.lease_seconds)
        return Login(token, found.lease_seconds, True)

    async def renew(self, token: str) -> Login:
        """See :meth:`~port.VaultPort.renew`."""
        role = self._role_of(token)
        self._receive(f"renew {role}")
        if role not in self._roles:
            raise Troubled("VaultDenied", "the token")
        lease = self._roles[role].lease_seconds
        self._tokens[token] = (role, self.now + lease)
        return Login(token, lease, True)

    async def read(self, token: str, mount: str, path: str) -> Mapping[str, str]:
        """See :meth:`~port.VaultPort.read`."""
        self._receive(f"read {mount}/{path}")
        role = self._role_of(token)
        policy = self._roles.get(role) or self._roles.get(f"deleted {role}")
        if policy is None or (mount, path) not in policy.readable:
            raise Troubled("VaultDenied")
        if (mount, path) not in self._secrets:
            raise Troubled("VaultSecretMissing")
        values = self._secrets[mount, path]
        if values is None:
            raise Troubled("VaultSecretMissing", "its latest version is deleted")
        return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}

    async def revoke(self, token: str) -> None:
        """See :meth:`~port.VaultPort.revoke`."""
        self._receive(f"revoke {self._role_of(token)}")
        del self._tokens[token]

    async def close(self) -> None:
        """See :meth:`~port.VaultPort.close`."""

    @property
    def tokens(self) -> int:
        """Tokens that are good now."""
        return sum(until > self.now for _, until in self._tokens.values())

    def _receive(self, request: str) -> None:
        self.requests.append(request)
        if not self.reachable:
            raise Troubled("VaultUnreachable", "no connection")
        if self.sealed:
            raise Troubled("VaultSealed")

    def _role_of(self, token: str) -> str:
        role, until = self._tokens.get(token, ("", 0.0))
        if until <= self.now:
            raise Troubled("VaultDenied", "the token")
        return role
