"""Sessions: one login for many reads, kept by its lease; a new one when it helps; no storm on a Vault that is away."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from taskservice_operator.core.model import VaultRequest
from taskservice_operator.vault.memory import MemoryVault
from taskservice_operator.vault.port import Login, Troubled
from taskservice_operator.vault.sessions import PROBE_FIRST, PROBE_MOST, Sessions
from testkit.vault_contract import trouble

pytestmark = pytest.mark.anyio

LEASE = 60.0


def a_request(path: str = "web", *, account: str = "web") -> VaultRequest:
    return VaultRequest("shop", account, f"shop-{account}", "secret", path)


@dataclass
class Bench:
    vault: MemoryVault
    minted: list[str] = field(default_factory=list)
    returned: int = 0
    counted: list[tuple[str, str]] = field(default_factory=list)

    def sessions(self, concurrency: int = 4) -> Sessions:
        async def mint(namespace: str, account: str) -> str:
            self.minted.append(f"{namespace}/{account}")
            return MemoryVault.proof(namespace, account)

        def came_back() -> None:
            self.returned += 1

        sessions = Sessions(
            self.vault,
            mint,
            concurrency=concurrency,
            clock=lambda: self.vault.now,
            count=lambda request, result: self.counted.append((request, result)),
        )
        sessions.returned = came_back
        return sessions

    def count(self, request: str) -> int:
        return sum(asked.startswith(request) for asked in self.vault.requests)


@pytest.fixture
def bench() -> Bench:
    vault = MemoryVault()
    for path in ("web", "other"):
        vault.write("secret", path, key=path)
    vault.make_role("shop-web", "shop", "web", readable=(("secret", "web"), ("secret", "other")), lease_seconds=LEASE)
    return Bench(vault)


async def read(sessions: Sessions, request: VaultRequest) -> str:
    return base64.b64decode((await sessions.read(request)).data["key"]).decode()


async def test_secrets_of_one_service_account_share_a_login(bench: Bench) -> None:
    sessions = bench.sessions()
    found = await asyncio.gather(*(read(sessions, a_request(path)) for path in ("web", "other", "web")))
    assert found == ["web", "other", "web"]
    assert bench.minted == ["shop/web"]
    assert bench.count("login") == 1


async def test_a_token_is_renewed_late_in_its_lease_and_not_before(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.now = LEASE * 0.6
    await read(sessions, a_request())
    assert bench.count("renew") == 0
    bench.vault.now = LEASE * 0.7
    await read(sessions, a_request())
    assert (bench.count("renew"), bench.count("login")) == (1, 1)


async def test_an_expired_token_is_replaced_by_a_login(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.now = LEASE * 3
    assert await read(sessions, a_request()) == "web"
    assert (bench.count("renew"), bench.count("login")) == (0, 2)


async def test_a_revoked_token_is_replaced_within_the_same_read(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.revoke_all()
    assert await read(sessions, a_request()) == "web"
    assert bench.count("login") == 2


async def test_what_is_denied_after_a_new_login_is_denied(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.deny("shop-web", "secret", "web")
    assert await trouble(sessions.read(a_request())) == ("VaultDenied", "")
    assert bench.vault.tokens == 1, "the token that was given up is revoked"
    bench.vault.allow("shop-web", "secret", "web")
    assert await read(sessions, a_request()) == "web"


async def test_a_deleted_role_is_noticed_when_its_token_is_to_be_renewed(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.delete_role("shop-web")
    assert await read(sessions, a_request()) == "web"
    bench.vault.now = LEASE * 0.7
    assert await trouble(sessions.read(a_request())) == ("VaultRoleMissing", "")


async def test_a_token_near_its_longest_life_is_not_renewed_but_replaced(bench: Bench) -> None:
    class Ending(MemoryVault):
        async def renew(self, token: str) -> Login:
            return Login(token, 1.0, True)

    ending = Ending()
    ending.__dict__.update(bench.vault.__dict__)
    bench.vault = ending
    sessions = bench.sessions()
    await read(sessions, a_request())
    ending.now = LEASE * 0.7
    await read(sessions, a_request())
    assert bench.count("login") == 2


@pytest.mark.parametrize("cause", ["VaultSealed", "VaultUnreachable"])
async def test_a_vault_that_is_away_is_asked_by_one_at_a_time_and_less_and_less(bench: Bench, cause: str) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.sealed, bench.vault.reachable = cause == "VaultSealed", cause != "VaultUnreachable"
    assert (await trouble(sessions.read(a_request())))[0] == cause
    before = len(bench.vault.requests)
    for _ in range(20):
        assert (await trouble(sessions.read(a_request("other"))))[0] == cause
    assert len(bench.vault.requests) == before
    bench.vault.now += PROBE_FIRST
    for _ in range(20):
        assert (await trouble(sessions.read(a_request("other"))))[0] == cause
    assert len(bench.vault.requests) == before + 1
    bench.vault.now += PROBE_FIRST
    assert (await trouble(sessions.read(a_request())))[0] == cause
    assert len(bench.vault.requests) == before + 1, "the second wait is longer"


async def test_a_vault_that_is_back_is_told_of_once_and_asked_by_all(bench: Bench) -> None:
    sessions = bench.sessions()
    bench.vault.sealed = True
    await trouble(sessions.read(a_request()))
    bench.vault.sealed = False
    bench.vault.now += PROBE_FIRST
    assert await read(sessions, a_request()) == "web"
    assert await read(sessions, a_request("other")) == "other"
    assert bench.returned == 1


async def test_a_refusal_is_an_answer_too_so_vault_is_back(bench: Bench) -> None:
    sessions = bench.sessions()
    bench.vault.reachable = False
    await trouble(sessions.read(a_request()))
    bench.vault.reachable = True
    bench.vault.now += PROBE_MOST
    assert await trouble(sessions.read(a_request(account="nobody"))) == ("VaultRoleMissing", "")
    assert bench.returned == 1


async def test_a_service_account_without_a_token_says_nothing_about_vault(bench: Bench) -> None:
    sessions = bench.sessions()
    bench.vault.sealed = True
    await trouble(sessions.read(a_request()))

    async def mint(_namespace: str, _account: str) -> str:
        raise Troubled("VaultAccountMissing")

    sessions._mint = mint
    bench.vault.now += PROBE_FIRST
    assert await trouble(sessions.read(a_request())) == ("VaultAccountMissing", "")
    assert bench.returned == 0
    assert (await trouble(sessions.read(a_request())))[0] == "VaultSealed"


async def test_no_more_requests_run_at_once_than_there_are_slots(bench: Bench) -> None:
    running, most = 0, 0

    class Slow(MemoryVault):
        async def read(self, token: str, mount: str, path: str) -> Mapping[str, str]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            running -= 1
            return await super().read(token, mount, path)

    slow = Slow()
    slow.__dict__.update(bench.vault.__dict__)
    bench.vault = slow
    sessions = bench.sessions(concurrency=2)
    await asyncio.gather(*(sessions.read(a_request()) for _ in range(50)))
    assert most == 2


async def test_sessions_that_nobody_needs_any_more_are_ended(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    await sessions.retain([a_request("other")])
    assert bench.vault.tokens == 1
    await sessions.retain([a_request(account="another")])
    assert bench.vault.tokens == 0


async def test_closing_ends_all_sessions_unless_vault_is_away(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    bench.vault.sealed = True
    await trouble(sessions.read(a_request()))
    asked = len(bench.vault.requests)
    await sessions.close()
    assert len(bench.vault.requests) == asked


async def test_every_request_is_counted_with_its_result(bench: Bench) -> None:
    sessions = bench.sessions()
    await read(sessions, a_request())
    await trouble(sessions.read(a_request("missing")))
    assert bench.counted[:2] == [("login", "ok"), ("read", "ok")]
    assert ("read", "VaultDenied") in bench.counted
