"""How a process prepares to serve."""

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

from taskservice.kit.server import keep_for_good


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


class Cycle:
    """Without another reference it is garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def is_collected(make: Callable[[], Cycle], collect: Callable[[], object]) -> bool:
    seen = weakref.ref(make())
    collect()
    return seen() is None


def test_what_was_made_before_is_no_longer_looked_at_and_what_comes_later_is_collected() -> None:
    before = Cycle()
    keep_for_good()
    assert gc.get_freeze_count() > 0
    assert not any(each is before for each in gc.get_objects())
    assert is_collected(Cycle, gc.collect)


def test_garbage_of_the_start_is_not_kept() -> None:
    assert is_collected(Cycle, keep_for_good)
