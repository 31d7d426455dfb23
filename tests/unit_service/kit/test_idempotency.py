"""One answer for a key, whoever asks how often; a key belongs to one caller and one request."""

import asyncio
from typing import Any

import pytest

from taskservice.kit.idempotency import Answer, InFlight, KeptAnswer, KeyReused, MemoryAnswers, RequestKey, once

pytestmark = pytest.mark.anyio

KEY = RequestKey.of("ann", "k", "POST", "/v1/tasks", b"{}")
NO_SESSION: Any = None


class Work:
    """Stores its answer as a repository does, and counts how often it was asked."""

    def __init__(self, answers: MemoryAnswers, key: RequestKey = KEY) -> None:
        self._answers = answers
        self._key = key
        self.done = 0

    async def __call__(self) -> Answer:
        await asyncio.sleep(0)
        answer = Answer(201, f"answer {self.done}".encode(), {"ETag": '"1"'})
        await self._answers.keep(NO_SESSION, KeptAnswer(self._key, answer))
        self.done += 1
        return answer


def test_a_key_belongs_to_a_caller_and_to_one_request() -> None:
    request = ("ann", "k", "POST", "/v1/tasks", b"{}")
    assert RequestKey.of(*request) == KEY
    assert RequestKey.of("bob", *request[1:]).id != KEY.id
    assert RequestKey.of("ann", "l", *request[2:]).id != KEY.id
    assert RequestKey.of("an", "nk", *request[2:]).id != KEY.id
    for other in (("PUT", "/v1/tasks", b"{}"), ("POST", "/v1/other", b"{}"), ("POST", "/v1/tasks", b"{} ")):
        key = RequestKey.of("ann", "k", *other)
        assert (key.id, key.fingerprint == KEY.fingerprint) == (KEY.id, False)


async def test_the_second_time_the_answer_of_the_first_is_given() -> None:
    answers = MemoryAnswers()
    work = Work(answers)
    first = await once(answers, KEY, work)
    again = await once(answers, KEY, work)
    assert (again.status, again.body, again.headers) == (first.status, first.body, first.headers)
    assert (first.replayed, again.replayed, work.done) == (False, True, 1)


async def test_at_the_same_time_one_does_the_work_and_all_get_its_answer() -> None:
    answers = MemoryAnswers()
    work = Work(answers)
    given = await asyncio.gather(*(once(answers, KEY, work) for _ in range(10)))
    assert {answer.body for answer in given} == {b"answer 0"}
    assert sorted(answer.replayed for answer in given) == [False] + [True] * 9
    assert work.done == 1


async def test_while_the_other_has_not_ended_it_is_refused() -> None:
    async def taken() -> Answer:
        raise InFlight

    with pytest.raises(InFlight) as refused:
        await once(MemoryAnswers(), KEY, taken)
    assert (refused.value.status, refused.value.headers) == (409, {"Retry-After": "1"})


async def test_another_request_with_the_key_is_refused_before_any_work() -> None:
    answers = MemoryAnswers()
    await once(answers, KEY, Work(answers))
    other = RequestKey.of("ann", "k", "POST", "/v1/tasks", b"other")
    work = Work(answers, other)
    with pytest.raises(KeyReused):
        await once(answers, other, work)
    assert work.done == 0


async def test_work_that_was_refused_is_asked_again() -> None:
    answers = MemoryAnswers()

    async def refused() -> Answer:
        raise ValueError

    with pytest.raises(ValueError):
        await once(answers, KEY, refused)
    assert (await once(answers, KEY, Work(answers))).body == b"answer 0"


async def test_without_a_key_every_request_is_its_own() -> None:
    async def work() -> Answer:
        return Answer(201, b"")

    assert not (await once(MemoryAnswers(), None, work)).replayed
