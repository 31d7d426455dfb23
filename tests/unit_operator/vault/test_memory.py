"""The Vault in memory keeps the contract of all Vaults; its leases end when its clock says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from taskservice_operator.vault.memory import MemoryVault
from testkit.vault_contract import MOUNT, PATH, VaultContract, trouble

pytestmark = pytest.mark.anyio


@dataclass
class MemoryAdministrator:
    vault: MemoryVault

    async def write(self, path: str, **values: str) -> None:
        self.vault.write(MOUNT, path, **values)

    async def delete_version(self, path: str) -> None:
        self.vault.delete_version(MOUNT, path)

    async def make_role(self, role: str, namespace: str, account: str, path: str) -> None:
        self.vault.make_role(role, namespace, account, readable=((MOUNT, path),))

    async def delete_role(self, role: str) -> None:
        self.vault.delete_role(role)

    async def deny(self, role: str) -> None:
        self.vault.deny(role, MOUNT, PATH)

    async def seal(self) -> None:
        self.vault.sealed = True

    async def unseal(self) -> None:
        self.vault.sealed = False

    async def proof(self, namespace: str, account: str, audience: str = "vault") -> str:
        return self.vault.proof(namespace, account, audience)


@pytest.fixture
def vault() -> MemoryVault:
    return MemoryVault()


@pytest.fixture
def administrator(vault: MemoryVault) -> MemoryAdministrator:
    return MemoryAdministrator(vault)


class TestMemoryVault(VaultContract):
    pass


async def test_a_token_is_worth_nothing_after_its_lease(vault: MemoryVault) -> None:
    vault.make_role("r", "shop", "web", readable=((MOUNT, PATH),), lease_seconds=60)
    vault.write(MOUNT, PATH, password="one")
    login = await vault.login("r", vault.proof("shop", "web"))
    vault.now = 59
    assert await vault.read(login.token, MOUNT, PATH)
    vault.now = 60
    assert await trouble(vault.read(login.token, MOUNT, PATH)) == ("VaultDenied", "the token")
