"""Asking for users: batches, retries within the budget, the second way, and when to give up. Mocked: the targets."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from taskservice.directory.cards import MAX_IDS, UserCard
from taskservice.directory.client import RemoteDirectory
from taskservice.directory.targets import NoAnswer, Refused
from taskservice.kit.errors import Unavailable
from taskservice.kit.metrics import Metrics
from taskservice.kit.retry import RetryBudget

pytestmark = pytest.mark.anyio


class Fake:
    """Answers, or does what `then` says for each call in turn and then answers."""

    def __init__(self, name: str, *then: BaseException, always: Callable[[], BaseException] | None = None) -> None:
        self.name = name
        self.asked: list[list[str]] = []
        self.seconds: list[float] = []
        self._then = list(then)
        self._always = always

    async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
        self.asked.append(list(ids))
        self.seconds.append(seconds)
        if self._always is not None:
            raise self._always()
        if self._then:
            raise self._then.pop(0)
        return [UserCard(id=id_, display_name=None, email=f"{id_}@x.y") for id_ in ids if id_ != "nobody"]

    async def close(self) -> None:
        return None


def away() -> NoAnswer:
    return NoAnswer("UNAVAILABLE")


def saved(retries: int) -> RetryBudget:
    budget = RetryBudget(ratio=1.0, most=retries)
    for _ in range(retries):
        budget.earn()
    return budget


def asking(*targets: Fake, **changes: Any) -> RemoteDirectory:
    settings: dict[str, Any] = {
        "metrics": Metrics("tasks", "1", "r1"),
        "timeout_seconds": 5,
        "attempt_seconds": 2,
        "breaker_failures": 5,
        "breaker_seconds": 60,
    }
    return RemoteDirectory(targets, **settings | changes)


async def test_many_ids_are_asked_in_batches_each_id_once() -> None:
    target = Fake("a")
    ids = [str(n) for n in range(250)]
    found = await asking(target).find([*ids, *ids, "nobody"])
    assert set(found) == set(ids)
    assert [len(batch) for batch in target.asked] == [MAX_IDS, MAX_IDS, 51]


async def test_no_ids_are_no_call() -> None:
    target = Fake("a")
    assert await asking(target).find([]) == {}
    assert target.asked == []


async def test_a_failure_is_asked_again_before_the_second_way() -> None:
    first, second = Fake("a", away()), Fake("b")
    assert list(await asking(first, second, budget=saved(1)).find(["x"])) == ["x"]
    assert (len(first.asked), len(second.asked)) == (2, 0)


async def test_without_budget_the_second_way_is_taken_at_once() -> None:
    first, second = Fake("a", away()), Fake("b")
    assert list(await asking(first, second).find(["x"])) == ["x"]
    assert (len(first.asked), len(second.asked)) == (1, 1)


async def test_retries_stay_within_a_fifth_while_everything_fails() -> None:
    target = Fake("a", always=away)
    directory = asking(target, breaker_failures=100_000)
    for _ in range(100):
        with pytest.raises(Unavailable):
            await directory.find(["x"])
    assert 100 < len(target.asked) <= 120


async def test_an_attempt_has_no_more_time_than_the_caller_has() -> None:
    target = Fake("a")
    await asking(target, timeout_seconds=0.5, attempt_seconds=2).find(["x"])
    await asking(target, timeout_seconds=5, attempt_seconds=2).find(["x"])
    assert 0 < target.seconds[0] <= 0.5
    assert target.seconds[1] == 2


async def test_time_that_has_run_out_is_not_spent_on_another_way() -> None:
    class Slow(Fake):
        async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
            await asyncio.sleep(seconds)
            raise NoAnswer("DEADLINE_EXCEEDED")

    second = Fake("b")
    with pytest.raises(Unavailable):
        await asking(Slow("a"), second, timeout_seconds=0.05, budget=saved(5)).find(["x"])
    assert second.asked == []


async def test_open_breakers_answer_at_once_and_say_when_to_come_back() -> None:
    first, second = Fake("a", always=away), Fake("b", always=away)
    directory = asking(first, second, breaker_failures=2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await directory.find(["x"])
    asked = (len(first.asked), len(second.asked))
    with pytest.raises(Unavailable) as refused:
        await directory.find(["x"])
    assert (len(first.asked), len(second.asked)) == asked
    assert 1 < int(refused.value.headers["Retry-After"]) <= 60


async def test_a_refusal_is_neither_repeated_nor_put_another_way(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Fake("a", Refused("UNAUTHENTICATED")), Fake("b")
    with pytest.raises(Unavailable):
        await asking(first, second, budget=saved(5)).find(["x"])
    assert (len(first.asked), len(second.asked)) == (1, 0)
    (record,) = [record for record in caplog.records if record.getMessage() == "directory_refused"]
    assert record.__dict__["fields"] == {"target": "a", "code": "UNAUTHENTICATED"}


async def test_a_caller_that_leaves_takes_the_attempt_with_it() -> None:
    left = asyncio.Event()

    class Hanging(Fake):
        async def ask(self, ids: Sequence[str], seconds: float) -> list[UserCard]:
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
            raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asking(Hanging("a"), Fake("b")).find(["x"])
    assert left.is_set()
