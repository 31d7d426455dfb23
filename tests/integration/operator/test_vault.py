"""TaskServices with secrets of a real Vault, and the operator as a process: what is released, what waits, what is told.

Vault logs ServiceAccounts in by the real API server's TokenReview.  Nodes are played.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.port import Ref
from testkit.kube_hands import KubeHands, Kubelet, until
from testkit.operator_process import OperatorProcess
from testkit.vault_server import VaultServer

pytestmark = pytest.mark.anyio

ACCOUNT = "web"
FIRST, SECOND = "hunter-one-7f3a", "hunter-two-91bc"
"""Values that occur nowhere by chance."""


@dataclass
class Bench:
    """A TaskService ``web`` that asks for ``taskservices/<namespace>/web``, and an operator that polls each second."""

    hands: KubeHands
    vault: VaultServer
    namespace: str
    start: Callable[..., Awaitable[OperatorProcess]]

    @property
    def path(self) -> str:
        return f"taskservices/{self.namespace}/web"

    @property
    def role(self) -> str:
        return f"{self.namespace}-{ACCOUNT}"

    @property
    def ref(self) -> Ref:
        return Ref(self.namespace, "web")

    async def operator(self, **settings: str) -> OperatorProcess:
        defaults = {
            "VAULT_ADDRESS": self.vault.address,
            "VAULT_CA_FILE": str(self.vault.ca_file),
            "VAULT_POLL_SECONDS": "1",
            "LOG_LEVEL": "DEBUG",
        }
        return await self.start(**{**defaults, **settings})

    def allow(self, **options: Any) -> None:
        self.vault.make_role(self.role, self.namespace, ACCOUNT, self.path, **options)

    def write(self, password: str) -> None:
        self.vault.write(self.path, {"PASSWORD": password})

    async def create(self, image: str = "demo:v1", **vault: str) -> None:
        await self.hands.make_service_account(self.namespace, ACCOUNT)
        secrets = [{"name": "login", "vault": {"path": self.path, **vault}}]
        spec = {"image": image, "serviceAccountName": ACCOUNT, "secrets": secrets}
        await self.hands.create_taskservice("web", spec, self.namespace)

    async def released(self, operator: OperatorProcess) -> str:
        """A TaskService that is live with the first password, and its revision."""
        self.allow()
        self.write(FIRST)
        await self.create()
        await self.ready()
        return (await self.hands.status(self.ref))["revisions"]["active"]

    async def ready(self, *, other_than: str | None = None) -> str:
        """Wait until the TaskService is live, as another revision if one is named; return which."""

        async def live() -> str | None:
            status = await self.hands.status(self.ref)
            active = (status.get("revisions") or {}).get("active")
            ready = next((c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"), "")
            return active if ready == "True" and active != other_than else None

        return await until(live, f"ready, other than {other_than}", 60)

    async def told(self, reason: str, status: str = "False") -> dict[str, Any]:
        """Wait for the condition of the secrets to have this reason; return it."""

        async def so() -> dict[str, Any] | None:
            found = await self.hands.condition(self.ref, "SecretsReady")
            return found if (found.get("reason"), found.get("status")) == (reason, status) else None

        try:
            return await until(so, f"SecretsReady is {status} for {reason}", 40)
        except AssertionError as problem:
            raise AssertionError(f"{problem}; it is {await self.hands.condition(self.ref, 'SecretsReady')}") from None

    async def ready_condition(self) -> str:
        return (await self.hands.condition(self.ref, "Ready")).get("status", "")

    async def copy(self, revision: str) -> str:
        secret = await self.hands.get(("Secret", self.namespace, f"web-{revision}-login"))
        assert secret is not None
        return base64.b64decode(secret["data"]["PASSWORD"]).decode()

    async def workloads(self) -> dict[str, str]:
        """Everything that runs or is on record, by version; without the TaskService and Events about it."""
        found = await self.hands.versions(self.namespace)
        return {name: version for name, version in found.items() if not name.startswith(("TaskService", "Event"))}


@pytest.fixture
async def bench(hands: KubeHands, vault_server: VaultServer, namespace: str, kubelet: Kubelet, operators: Any) -> Bench:
    return Bench(hands, vault_server, namespace, operators.start)


async def test_a_rotated_secret_is_a_release_whose_rollback_brings_the_old_one_back(bench: Bench) -> None:
    operator = await bench.operator()
    first = await bench.released(operator)
    assert await bench.copy(first) == FIRST
    await bench.told("SecretsRead", "True")

    bench.write(SECOND)
    second = await bench.ready(other_than=first)
    assert await bench.copy(second) == SECOND
    assert await bench.copy(first) == FIRST

    change = {"metadata": {"annotations": {names.VERB_ROLLBACK: second}}}
    await bench.hands.edit((names.KIND, bench.namespace, "web"), change)

    async def back() -> bool:
        return (await bench.hands.status(bench.ref))["revisions"]["active"] == first

    await until(back, "the revision before is live again", 60)
    assert await bench.copy(first) == FIRST


async def test_an_idle_taskservice_costs_reads_of_vault_and_no_writes(bench: Bench) -> None:
    operator = await bench.operator(RESYNC_SECONDS="5")
    await bench.released(operator)
    await asyncio.sleep(2)
    writes, versions, reads = (
        await operator.writes(),
        await bench.hands.versions(bench.namespace),
        await vault_requests(operator, "read"),
    )
    await asyncio.sleep(6)
    assert await operator.writes() == writes
    assert await bench.hands.versions(bench.namespace) == versions
    assert await vault_requests(operator, "read") > reads
    assert await vault_requests(operator, "login") == 1


async def test_a_first_release_waits_for_a_sealed_vault_and_goes_on_when_it_is_unsealed(bench: Bench) -> None:
    bench.allow()
    bench.write(FIRST)
    bench.vault.seal()
    await bench.operator()
    await bench.create()
    told = await bench.told("VaultSealed")
    assert "unseal" in told["message"]
    status = await bench.hands.status(bench.ref)
    assert (status["blockedOn"]["kind"], status["blockedOn"]["reason"]) == ("VaultSecret", "VaultSealed")
    assert status["phase"] != "Failed"
    assert await bench.hands.all(kinds.DEPLOYMENT, bench.namespace) == []
    bench.vault.unseal()
    assert await bench.copy(await bench.ready()) == FIRST
    await bench.told("SecretsRead", "True")


async def test_while_vault_is_sealed_and_while_it_is_gone_what_is_live_is_left_alone(bench: Bench) -> None:
    operator = await bench.operator()
    first = await bench.released(operator)
    before = await bench.workloads()
    bench.vault.seal()
    await bench.told("VaultSealed")
    assert await bench.ready_condition() == "True"
    writes = await operator.writes()
    await asyncio.sleep(4)
    assert await operator.writes() == writes, "a trouble that lasts is written once"

    bench.vault.kill()
    assert "does not answer" in (await bench.told("VaultUnreachable"))["message"]
    assert await bench.ready_condition() == "True"
    assert await bench.workloads() == before

    bench.vault.start()
    await bench.told("VaultSealed")
    bench.vault.unseal()
    await bench.told("SecretsRead", "True")
    assert await bench.workloads() == before
    bench.write(SECOND)
    assert await bench.copy(await bench.ready(other_than=first)) == SECOND


async def test_an_operator_that_starts_while_vault_is_sealed_touches_nothing(bench: Bench) -> None:
    operator = await bench.operator(LEADER_ELECTION="false")
    await bench.released(operator)
    before = await bench.workloads()
    operator.kill()
    bench.vault.seal()
    await bench.operator(LEADER_ELECTION="false")
    await bench.told("VaultSealed")
    assert await bench.ready_condition() == "True"
    assert await bench.workloads() == before


async def test_a_denied_path_names_the_policy_and_is_read_once_it_may_be(bench: Bench) -> None:
    bench.allow()
    bench.vault.set_policy(bench.role, None)
    bench.write(FIRST)
    await bench.operator()
    await bench.create()
    message = (await bench.told("VaultDenied"))["message"]
    assert f"'secret/data/{bench.path}'" in message
    assert f"'{bench.role}'" in message
    bench.vault.set_policy(bench.role, bench.path)
    first = await bench.ready()

    bench.vault.set_policy(bench.role, None)
    before = await bench.workloads()
    await bench.told("VaultDenied")
    assert await bench.ready_condition() == "True"
    change = {"spec": {"image": "demo:v2"}}
    await bench.hands.edit((names.KIND, bench.namespace, "web"), change)

    async def waits() -> bool:
        return (await bench.hands.status(bench.ref)).get("blockedOn", {}).get("reason") == "VaultDenied"

    await until(waits, "what is new waits")
    assert await bench.workloads() == before, "a withdrawn right gives nothing to a new revision"
    bench.vault.set_policy(bench.role, bench.path)
    await bench.ready(other_than=first)


async def test_a_missing_secret_is_waited_for_and_a_deleted_one_changes_nothing(bench: Bench) -> None:
    bench.allow()
    await bench.operator()
    await bench.create()
    message = (await bench.told("VaultSecretMissing"))["message"]
    assert f"vault kv put -mount=secret {bench.path}" in message
    bench.write(FIRST)
    first = await bench.ready()
    before = await bench.workloads()
    bench.vault.delete_version(bench.path)
    assert "its latest version is deleted" in (await bench.told("VaultSecretMissing"))["message"]
    assert await bench.ready_condition() == "True"
    assert await bench.workloads() == before
    assert await bench.copy(first) == FIRST


async def test_a_deleted_role_is_told_when_its_token_ends_and_a_new_one_is_used(bench: Bench) -> None:
    bench.write(FIRST)
    bench.allow(ttl="3s")
    await bench.operator()
    await bench.create()
    await bench.ready()
    before = await bench.workloads()
    bench.vault.delete_role(bench.role)
    message = (await bench.told("VaultRoleMissing"))["message"]
    assert f"'{bench.role}'" in message
    assert f"namespace '{bench.namespace}'" in message
    assert await bench.workloads() == before
    bench.allow(ttl="3s")
    await bench.told("SecretsRead", "True")


async def test_tokens_that_end_before_their_time_are_replaced_unnoticed(bench: Bench) -> None:
    operator = await bench.operator()
    first = await bench.released(operator)
    bench.vault.revoke_logins()
    bench.write(SECOND)
    await bench.ready(other_than=first)
    assert "vault_secret_not_read" not in operator.events()
    assert await vault_requests(operator, "login") >= 2


async def test_a_short_lease_is_renewed_instead_of_logging_in_again(bench: Bench) -> None:
    bench.write(FIRST)
    bench.allow(ttl="6s")
    operator = await bench.operator()
    await bench.create()
    await bench.ready()

    async def renewed() -> bool:
        return await vault_requests(operator, "renew") >= 1

    await until(renewed, "the token is renewed")
    assert await vault_requests(operator, "login") == 1


async def test_a_role_for_another_audience_is_refused_and_says_so(bench: Bench) -> None:
    bench.allow(audience="somebody-else")
    bench.write(FIRST)
    await bench.operator()
    await bench.create()
    assert "audience" in (await bench.told("VaultLoginRefused"))["message"]
    bench.allow()
    await bench.ready()


async def test_a_role_of_another_service_account_gives_nothing(bench: Bench) -> None:
    bench.write(FIRST)
    bench.vault.make_role("theirs", "somewhere", "else", bench.path)
    await bench.operator()
    await bench.create(role="theirs")
    assert "'theirs'" in (await bench.told("VaultLoginRefused"))["message"]
    assert await bench.hands.all(kinds.SECRET, bench.namespace) == []


async def test_a_service_account_that_is_not_there_is_named(bench: Bench) -> None:
    bench.allow()
    bench.write(FIRST)
    await bench.operator()
    secrets = [{"name": "login", "vault": {"path": bench.path}}]
    spec = {"image": "demo:v1", "serviceAccountName": ACCOUNT, "secrets": secrets}
    await bench.hands.create_taskservice("web", spec, bench.namespace)
    assert f"'{ACCOUNT}'" in (await bench.told("VaultAccountMissing"))["message"]
    await bench.hands.make_service_account(bench.namespace, ACCOUNT)
    await bench.ready()


async def test_an_operator_without_a_vault_says_so(bench: Bench) -> None:
    await bench.operator(VAULT_ADDRESS="")
    await bench.create()
    assert "vault.address" in (await bench.told("VaultNotConfigured"))["message"]


async def test_no_value_and_no_token_is_in_a_log_a_status_or_an_event(bench: Bench) -> None:
    operator = await bench.operator()
    first = await bench.released(operator)
    bench.write(SECOND)
    await bench.ready(other_than=first)
    bench.vault.seal()
    await bench.told("VaultSealed")
    objects = [
        *await bench.hands.all(kinds.TASKSERVICE, bench.namespace),
        *await bench.hands.all(kinds.EVENT, bench.namespace),
        *await bench.hands.all(kinds.CONTROLLER_REVISION, bench.namespace),
        *await bench.hands.all(kinds.DEPLOYMENT, bench.namespace),
    ]
    seen = json.dumps(objects) + json.dumps(operator.lines) + (await operator.ask("/metrics"))[1]
    for value in (FIRST, SECOND):
        assert value not in seen
        assert base64.b64encode(value.encode()).decode() not in seen
    assert "hvs." not in seen
    assert "eyJhbGciOi" not in seen


async def vault_requests(operator: OperatorProcess, request: str) -> float:
    """Requests of a kind that Vault has answered well."""
    _, text = await operator.ask("/metrics")
    start = f'taskservice_vault_requests_total{{request="{request}",result="ok"}} '
    return sum(float(line.removeprefix(start)) for line in text.splitlines() if line.startswith(start))
