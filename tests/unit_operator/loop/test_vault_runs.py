"""The running loop with a Vault: a release with what it gives, and no cost while it says the same."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from taskservice_operator.cluster.memory import MemoryCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.reconcile import decide
from taskservice_operator.loop.runner import Runner
from taskservice_operator.metrics import Metrics
from taskservice_operator.vault.memory import MemoryVault
from taskservice_operator.vault.sessions import Sessions

pytestmark = pytest.mark.anyio

PATH = "taskservices/default/web"


@dataclass
class Bench:
    """A cluster and a Vault of memory, an operator between them, and hands that let time pass on both."""

    cluster: MemoryCluster
    vault: MemoryVault
    runner: Runner

    def create(self, name: str = "web") -> Ref:
        secrets = [{"name": "login", "vault": {"path": PATH}}]
        ref = self.cluster.create_taskservice(
            {"metadata": {"name": name}, "spec": {"image": "demo:v1", "secrets": secrets}}
        )
        self.runner.wake([ref])
        return ref

    def status(self, ref: Ref) -> dict:
        return self.cluster.get(("TaskService", ref.namespace, ref.name)).get("status") or {}

    def condition(self, ref: Ref, kind: str) -> str:
        conditions = self.status(ref).get("conditions") or ()
        return next((f"{c['status']} {c['reason']}" for c in conditions if c["type"] == kind), "")

    async def until(self, check: Callable[[], bool], what: str) -> None:
        """Let time pass in the cluster, and everybody be woken, until something is so."""
        for _ in range(600):
            if check():
                return
            self.cluster.tick(1)
            self.runner.wake(await self.cluster.relist())
            await asyncio.sleep(0.01)
        raise AssertionError(f"never: {what}")

    def password(self, ref: Ref) -> str:
        revision = self.status(ref)["revisions"]["active"]
        copy = self.cluster.get(("Secret", ref.namespace, f"{ref.name}-{revision}-login"))
        return base64.b64decode(copy["data"]["PASSWORD"]).decode()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    cluster, vault = MemoryCluster(datetime(2026, 1, 1, tzinfo=UTC)), MemoryVault()
    vault.make_role("default-default", "default", "default", readable=(("secret", PATH),), lease_seconds=1e9)
    vault.write("secret", PATH, PASSWORD="one")

    async def mint(namespace: str, account: str) -> str:
        return MemoryVault.proof(namespace, account)

    runner = Runner(
        cluster,
        decide,
        {},
        Metrics(),
        vault=Sessions(vault, mint, clock=lambda: vault.now),
        vault_poll_seconds=0.02,
        now=lambda: cluster.now,
    )
    running = asyncio.create_task(runner.run())
    yield Bench(cluster, vault, runner)
    runner.stop()
    await running


async def test_a_rotated_secret_becomes_a_release(bench: Bench) -> None:
    ref = bench.create()
    await bench.until(lambda: bench.condition(ref, "Ready").startswith("True"), "released")
    assert bench.password(ref) == "one"
    bench.vault.write("secret", PATH, PASSWORD="two")
    await bench.until(lambda: bench.password(ref) == "two", "released anew")
    await bench.until(lambda: bench.status(ref)["phase"] == "Stable", "settled")


async def test_while_vault_says_the_same_only_vault_is_asked(bench: Bench) -> None:
    ref = bench.create()
    await bench.until(lambda: bench.condition(ref, "Ready").startswith("True"), "released")
    await bench.until(lambda: bench.condition(ref, "SecretsReady") == "True SecretsRead", "told")
    writes, reads = len(bench.cluster.writes), bench.vault.requests.count(f"read secret/{PATH}")
    for _ in range(200):
        await asyncio.sleep(0.01)
        if bench.vault.requests.count(f"read secret/{PATH}") > reads + 5:
            break
    assert bench.vault.requests.count(f"read secret/{PATH}") > reads + 5
    assert len(bench.cluster.writes) == writes
    assert bench.vault.requests.count("login default-default") == 1


async def test_two_taskservices_of_one_account_share_the_question(bench: Bench) -> None:
    refs = [bench.create(name) for name in ("web", "api")]
    await bench.until(lambda: all(bench.condition(r, "Ready").startswith("True") for r in refs), "both released")
    assert [bench.password(ref) for ref in refs] == ["one", "one"]
    assert bench.vault.requests.count("login default-default") == 1


async def test_what_waits_for_a_sealed_vault_goes_on_once_it_is_unsealed(bench: Bench) -> None:
    bench.vault.sealed = True
    ref = bench.create()
    await bench.until(lambda: bench.condition(ref, "SecretsReady") == "False VaultSealed", "told")
    assert bench.cluster.all("Deployment") == []
    bench.vault.sealed = False
    bench.vault.now += 60
    await bench.until(lambda: bench.condition(ref, "Ready").startswith("True"), "released")


async def test_a_taskservice_that_is_deleted_ends_its_session(bench: Bench) -> None:
    ref = bench.create()
    await bench.until(lambda: bench.condition(ref, "Ready").startswith("True"), "released")
    assert bench.vault.tokens == 1
    bench.cluster.delete_taskservice(ref)
    bench.runner.wake([ref])
    await bench.until(lambda: bench.vault.tokens == 0, "the session is ended")
