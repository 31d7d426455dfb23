"""The adapter on hvac keeps the contract of all Vaults, on a real one that has a real API server review tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from taskservice_operator.cluster.errors import ClusterError, Forbidden, NotFound
from taskservice_operator.cluster.kube import KubeApi
from taskservice_operator.cluster.tokens import request_token
from taskservice_operator.vault.hvac_client import HvacVault
from testkit.kube_hands import KubeHands, as_bearer
from testkit.vault_contract import ACCOUNT, MOUNT, NAMESPACE, PATH, ROLE, VaultContract, trouble
from testkit.vault_server import VaultServer

pytestmark = pytest.mark.anyio


@dataclass
class RealAdministrator:
    server: VaultServer
    api: KubeApi

    async def write(self, path: str, **values: str) -> None:
        self.server.write(path, values)

    async def delete_version(self, path: str) -> None:
        self.server.delete_version(path)

    async def make_role(self, role: str, namespace: str, account: str, path: str) -> None:
        self.server.make_role(role, namespace, account, path)

    async def delete_role(self, role: str) -> None:
        self.server.delete_role(role)

    async def deny(self, role: str) -> None:
        self.server.set_policy(role, None)

    async def seal(self) -> None:
        self.server.seal()

    async def unseal(self) -> None:
        self.server.unseal()

    async def proof(self, namespace: str, account: str, audience: str = "vault") -> str:
        """As the operator itself gets it."""
        return await request_token(self.api, audience, namespace, account)


@pytest.fixture
async def administrator(vault_server: VaultServer, api: KubeApi) -> RealAdministrator:
    hands = KubeHands(api)
    await hands.ensure_namespace(NAMESPACE)
    for account in (ACCOUNT, "default"):
        await hands.make_service_account(NAMESPACE, account)
    return RealAdministrator(vault_server, api)


@pytest.fixture
def vault_server(vault_session: VaultServer) -> Iterator[VaultServer]:
    """With nothing in it."""
    vault_session.forget(PATH)
    yield vault_session
    vault_session.restore()


@pytest.fixture
async def vault(vault_server: VaultServer) -> AsyncIterator[HvacVault]:
    vault = HvacVault(vault_server.address, ca_file=str(vault_server.ca_file))
    yield vault
    await vault.close()


class TestHvacVault(VaultContract):
    pass


async def test_a_certificate_is_checked(vault_server: VaultServer) -> None:
    vault = HvacVault(vault_server.address)
    cause, detail = await trouble(vault.read("none", MOUNT, PATH))
    await vault.close()
    assert (cause, "certificate" in detail) == ("VaultUnreachable", True)


async def test_authentication_that_is_not_there_is_told(
    vault_server: VaultServer, administrator: RealAdministrator
) -> None:
    vault = HvacVault(vault_server.address, ca_file=str(vault_server.ca_file), auth_mount="elsewhere")
    cause, _ = await trouble(vault.login(ROLE, await administrator.proof(NAMESPACE, ACCOUNT)))
    await vault.close()
    assert cause == "VaultLoginRefused"


async def test_a_path_of_no_mount_is_denied_or_missing(vault: HvacVault, administrator: RealAdministrator) -> None:
    await administrator.make_role(ROLE, NAMESPACE, ACCOUNT, PATH)
    token = (await vault.login(ROLE, await administrator.proof(NAMESPACE, ACCOUNT))).token
    assert (await trouble(vault.read(token, "nowhere", PATH)))[0] == "VaultDenied"


async def test_the_token_for_vault_is_none_for_the_api_server(administrator: RealAdministrator, tmp_path: Path) -> None:
    proof = await administrator.proof(NAMESPACE, ACCOUNT)
    async with as_bearer(administrator.api, proof, tmp_path) as bearer:
        with pytest.raises(ClusterError, match=r"Unauthorized|401"):
            await bearer.get("/api/v1/namespaces")


async def test_who_may_not_ask_for_tokens_is_told_so(administrator: RealAdministrator, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await request_token(administrator.api, "vault", NAMESPACE, "nobody")
    own = await KubeHands(administrator.api).token(NAMESPACE, ACCOUNT)
    async with as_bearer(administrator.api, own, tmp_path) as bearer:
        with pytest.raises(Forbidden):
            await request_token(bearer, "vault", NAMESPACE, ACCOUNT)
