"""Following secrets: read once for all who ask, again after a while, and told of only when the answer is another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import pytest

from taskservice_operator.cluster.errors import ClusterError, Forbidden, NotFound, Transient
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import VaultAnswer, VaultContent, VaultRequest, VaultTrouble
from taskservice_operator.loop import vaulting as module
from taskservice_operator.loop.vaulting import NOT_CONFIGURED, Vaulting, translated
from taskservice_operator.vault.port import Troubled
from testkit.vault_contract import trouble

pytestmark = pytest.mark.anyio

WEB, API = Ref("shop", "web"), Ref("shop", "api")
ONE, TWO = VaultContent({"key": "b25l"}), VaultContent({"key": "dHdv"})
SEALED, DENIED = VaultTrouble("VaultSealed"), VaultTrouble("VaultDenied")


def a_request(path: str = "web") -> VaultRequest:
    return VaultRequest("shop", "web", "shop-web", "secret", path)


@dataclass
class PlayedReader:
    """Answers what it is told to; counts."""

    answer: VaultAnswer | Exception = ONE
    reads: list[VaultRequest] = field(default_factory=list)
    retained: list[frozenset[VaultRequest]] = field(default_factory=list)
    closed: bool = False
    returned: Callable[[], None] = lambda: None

    async def read(self, request: VaultRequest) -> VaultContent:
        self.reads.append(request)
        if isinstance(self.answer, VaultTrouble):
            raise Troubled(self.answer.cause, self.answer.detail)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def retain(self, requests: Iterable[VaultRequest]) -> None:
        self.retained.append(frozenset(requests))

    async def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    reader: PlayedReader = field(default_factory=PlayedReader)
    woken: list[Ref] = field(default_factory=list)
    made: list[Vaulting] = field(default_factory=list)

    def following(self, poll_seconds: float = 600.0) -> Vaulting:
        self.made.append(Vaulting(self.reader, self.woken.append, poll_seconds=poll_seconds))
        return self.made[-1]

    async def until(self, check: Callable[[], bool], what: str) -> None:
        for _ in range(1000):
            if check():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"not within 10 s: {what}")

    async def woken_times(self, count: int) -> None:
        await self.until(lambda: len(self.woken) >= count, f"woken {count} times")


@pytest.fixture
async def bench():
    bench = Bench()
    yield bench
    for vaulting in bench.made:
        await vaulting.close()


async def test_what_is_not_known_is_begun_to_be_read_and_told_of(bench: Bench) -> None:
    vaulting = bench.following()
    assert vaulting.answers(WEB, frozenset({a_request()})) == {}
    await bench.woken_times(1)
    assert bench.woken == [WEB]
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): ONE}
    assert bench.reader.reads == [a_request()]


async def test_who_asks_for_the_same_shares_the_answer(bench: Bench) -> None:
    vaulting = bench.following()
    for ref in (WEB, API):
        vaulting.answers(ref, frozenset({a_request()}))
    await bench.woken_times(2)
    assert sorted(bench.woken) == [API, WEB]
    assert len(bench.reader.reads) == 1


async def test_a_secret_is_read_again_and_nobody_is_woken_by_the_same_answer(bench: Bench) -> None:
    vaulting = bench.following(poll_seconds=0.01)
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.until(lambda: len(bench.reader.reads) > 5, "read again")
    assert bench.woken == [WEB]
    bench.reader.answer = TWO
    await bench.woken_times(2)
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): TWO}


@pytest.mark.parametrize("answer", [SEALED, DENIED])
async def test_a_trouble_is_told_and_so_is_its_end(bench: Bench, answer: VaultTrouble) -> None:
    bench.reader.answer = answer
    vaulting = bench.following(poll_seconds=0.01)
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): answer}
    assert vaulting.troubled == 1
    await bench.until(lambda: len(bench.reader.reads) > 5, "tried again")
    assert len(bench.woken) == 1
    bench.reader.answer = ONE
    await bench.woken_times(2)
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): ONE}
    assert vaulting.troubled == 0


async def test_one_attempt_that_fails_does_not_count_while_an_answer_is_known(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST", 0.01)
    vaulting = bench.following(poll_seconds=0.01)
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    read = bench.reader.read
    failed = 0

    async def fail_once(request: VaultRequest) -> VaultContent:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise Troubled("VaultUnreachable")
        return await read(request)

    bench.reader.read = fail_once
    await bench.until(lambda: failed > 3, "went on")
    assert bench.woken == [WEB]
    bench.reader.read = read
    bench.reader.answer = SEALED
    await bench.woken_times(2)


async def test_what_waits_for_vault_is_read_at_once_when_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST", 600.0)
    monkeypatch.setattr(module, "RETRY_MOST", 600.0)
    bench.reader.answer = SEALED
    vaulting = bench.following()
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    bench.reader.answer = ONE
    bench.reader.returned()
    await bench.woken_times(2)
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): ONE}


async def test_what_is_not_asked_for_any_more_is_not_read_any_more(bench: Bench) -> None:
    vaulting = bench.following(poll_seconds=0.01)
    vaulting.answers(WEB, frozenset({a_request("old")}))
    await bench.woken_times(1)
    vaulting.answers(WEB, frozenset({a_request("new")}))
    await bench.woken_times(2)
    before = len(bench.reader.reads)
    await bench.until(lambda: len(bench.reader.reads) > before + 5, "read again")
    assert set(bench.reader.reads[before:]) == {a_request("new")}
    assert bench.reader.retained == [frozenset({a_request("new")})]


async def test_what_one_who_is_gone_asked_for_is_read_on_for_others(bench: Bench) -> None:
    vaulting = bench.following(poll_seconds=0.01)
    for ref in (WEB, API):
        vaulting.answers(ref, frozenset({a_request()}))
    await bench.woken_times(2)
    vaulting.forget(WEB)
    bench.reader.answer = TWO
    await bench.woken_times(3)
    assert bench.woken[2:] == [API]
    vaulting.forget(API)
    vaulting.forget(Ref("shop", "never asked"))
    await bench.until(lambda: frozenset() in bench.reader.retained, "sessions are ended")


async def test_without_a_vault_that_is_the_answer(bench: Bench) -> None:
    vaulting = Vaulting(None, bench.woken.append)
    assert vaulting.answers(WEB, frozenset({a_request()})) == {a_request(): NOT_CONFIGURED}
    vaulting.forget(WEB)
    await vaulting.close()
    assert bench.woken == []


async def test_a_crash_is_a_trouble_whose_text_is_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.reader.answer = RuntimeError("hunter2")
    vaulting = bench.following()
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    (answer,) = vaulting.answers(WEB, frozenset({a_request()})).values()
    assert answer == VaultTrouble("VaultUnreachable", "the operator failed with RuntimeError")
    assert "hunter2" not in caplog.text + str([vars(record) for record in caplog.records])


async def test_contents_are_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vaulting = bench.following()
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    assert "b25l" not in str([vars(record) for record in caplog.records]) + repr(ONE)
    assert "vault_secret_read" in caplog.text


async def test_closing_ends_everything(bench: Bench) -> None:
    vaulting = bench.following(poll_seconds=0.01)
    vaulting.answers(WEB, frozenset({a_request()}))
    await bench.woken_times(1)
    await vaulting.close()
    before = len(bench.reader.reads)
    await asyncio.sleep(0.05)
    assert len(bench.reader.reads) == before
    assert bench.reader.closed


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NotFound("x"), "VaultAccountMissing"),
        (Forbidden("x"), "VaultTokenRefused"),
        (Transient("x"), "VaultTokenUnavailable"),
    ],
)
async def test_what_the_api_server_says_of_a_token_is_a_trouble_too(error: ClusterError, cause: str) -> None:
    async def request_token(_namespace: str, _account: str) -> str:
        raise error

    mint: Callable[[str, str], Awaitable[str]] = translated(request_token)
    assert (await trouble(mint("shop", "web")))[0] == cause
