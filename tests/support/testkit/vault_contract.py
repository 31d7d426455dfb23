"""What every adapter of Vault must do, asked of each: the one in memory and the one of a real Vault.

A test module subclasses :class:`VaultContract` and provides the fixtures ``vault`` (the port) and ``administrator``
(:class:`Administrator`: what Vault's and the cluster's administrators do).
"""

from __future__ import annotations

import base64
from typing import Protocol

import pytest

from taskservice_operator.vault.port import Troubled, VaultPort

MOUNT, PATH = "secret", "taskservices/shop/web"
ROLE, NAMESPACE, ACCOUNT = "shop-web", "shop", "web"
LEASE_SECONDS = 600


class Administrator(Protocol):
    """Hands on a Vault with a key/value store at ``secret`` and nothing in it, and on the cluster it asks."""

    async def write(self, path: str, **values: str) -> None: ...
    async def delete_version(self, path: str) -> None: ...
    async def make_role(self, role: str, namespace: str, account: str, path: str) -> None: ...
    async def delete_role(self, role: str) -> None: ...
    async def deny(self, role: str) -> None: ...
    async def seal(self) -> None: ...
    async def unseal(self) -> None: ...
    async def proof(self, namespace: str, account: str, audience: str = "vault") -> str: ...


def plain(data: object) -> dict[str, str]:
    assert isinstance(data, dict)
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


async def trouble(asked: object) -> tuple[str, str]:
    """The cause and the detail of what is refused."""
    with pytest.raises(Troubled) as caught:
        await asked  # type: ignore[misc]
    return caught.value.trouble.cause, caught.value.trouble.detail


class VaultContract:
    """The contract.  ``names`` of namespace and account are those of a ServiceAccount that exists."""

    @pytest.fixture
    async def token(self, vault: VaultPort, administrator: Administrator) -> str:
        """The token of a login as the role of ``shop/web``, whose policy may read one path."""
        await administrator.make_role(ROLE, NAMESPACE, ACCOUNT, PATH)
        return (await vault.login(ROLE, await administrator.proof(NAMESPACE, ACCOUNT))).token

    async def test_a_login_tells_its_lease(self, vault: VaultPort, administrator: Administrator) -> None:
        await administrator.make_role(ROLE, NAMESPACE, ACCOUNT, PATH)
        login = await vault.login(ROLE, await administrator.proof(NAMESPACE, ACCOUNT))
        assert 0 < login.lease_seconds <= LEASE_SECONDS
        assert login.renewable
        assert login.token not in repr(login)

    async def test_what_was_written_last_is_read(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        await administrator.write(PATH, password="one")
        assert plain(await vault.read(token, MOUNT, PATH)) == {"password": "one"}
        await administrator.write(PATH, password="two", user="ü")
        assert plain(await vault.read(token, MOUNT, PATH)) == {"password": "two", "user": "ü"}

    async def test_a_secret_that_was_never_written_is_missing(self, vault: VaultPort, token: str) -> None:
        assert await trouble(vault.read(token, MOUNT, PATH)) == ("VaultSecretMissing", "")

    async def test_a_secret_whose_latest_version_is_deleted_is_missing(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        await administrator.write(PATH, password="one")
        await administrator.delete_version(PATH)
        assert await trouble(vault.read(token, MOUNT, PATH)) == (
            "VaultSecretMissing",
            "its latest version is deleted",
        )

    async def test_another_path_is_denied(self, vault: VaultPort, administrator: Administrator, token: str) -> None:
        await administrator.write("taskservices/shop/other", password="one")
        assert await trouble(vault.read(token, MOUNT, "taskservices/shop/other")) == ("VaultDenied", "")

    async def test_a_path_is_denied_as_soon_as_the_policy_says_so(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        await administrator.write(PATH, password="one")
        await administrator.deny(ROLE)
        assert await trouble(vault.read(token, MOUNT, PATH)) == ("VaultDenied", "")

    async def test_an_unknown_role_is_named_as_such(self, vault: VaultPort, administrator: Administrator) -> None:
        proof = await administrator.proof(NAMESPACE, ACCOUNT)
        assert await trouble(vault.login("no-such-role", proof)) == ("VaultRoleMissing", "")

    async def test_another_service_account_is_refused(self, vault: VaultPort, administrator: Administrator) -> None:
        await administrator.make_role(ROLE, NAMESPACE, ACCOUNT, PATH)
        proof = await administrator.proof(NAMESPACE, "default")
        cause, detail = await trouble(vault.login(ROLE, proof))
        assert (cause, detail) == ("VaultLoginRefused", "the role is bound to another ServiceAccount")

    async def test_a_token_for_another_audience_is_refused(
        self, vault: VaultPort, administrator: Administrator
    ) -> None:
        await administrator.make_role(ROLE, NAMESPACE, ACCOUNT, PATH)
        proof = await administrator.proof(NAMESPACE, ACCOUNT, audience="somebody-else")
        cause, _ = await trouble(vault.login(ROLE, proof))
        assert cause == "VaultLoginRefused"

    async def test_a_token_is_renewed_while_its_role_is_there(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        renewed = await vault.renew(token)
        assert renewed.token == token
        assert renewed.lease_seconds > 0
        await administrator.delete_role(ROLE)
        cause, _ = await trouble(vault.renew(token))
        assert cause == "VaultDenied"

    async def test_a_revoked_token_reads_nothing(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        await administrator.write(PATH, password="one")
        await vault.revoke(token)
        cause, _ = await trouble(vault.read(token, MOUNT, PATH))
        assert cause == "VaultDenied"

    async def test_a_sealed_vault_says_so_to_everything(
        self, vault: VaultPort, administrator: Administrator, token: str
    ) -> None:
        await administrator.write(PATH, password="one")
        proof = await administrator.proof(NAMESPACE, ACCOUNT)
        await administrator.seal()
        assert await trouble(vault.read(token, MOUNT, PATH)) == ("VaultSealed", "")
        assert await trouble(vault.login(ROLE, proof)) == ("VaultSealed", "")
        assert await trouble(vault.renew(token)) == ("VaultSealed", "")
        await administrator.unseal()
        assert plain(await vault.read(token, MOUNT, PATH)) == {"password": "one"}
