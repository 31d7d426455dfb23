"""When to ask again: within the deadline, after a jittered pause, and never more than a fraction of all calls.

The budget is what keeps a struggling service from being asked twice as much exactly when it can answer less.
"""

import asyncio
import random


class RetryBudget:
    """At most `ratio` retries per call made so far; what is not used is kept, up to `most`."""

    def __init__(self, ratio: float = 0.2, most: float = 20.0) -> None:
        self._ratio = ratio
        self._most = most
        self._saved = 0.0

    def earn(self) -> None:
        """One call is made."""
        self._saved = min(self._most, self._saved + self._ratio)

    def spend(self) -> bool:
        """Whether one more retry is within the budget; if so, it is spent."""
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved -= 1.0
        return True


class Deadline:
    """A moment after which nobody waits for the answer."""

    def __init__(self, seconds: float) -> None:
        self._at = asyncio.get_running_loop().time() + seconds

    @property
    def left(self) -> float:
        """Seconds, never negative."""
        return max(0.0, self._at - asyncio.get_running_loop().time())


def pause(attempt: int, *, first: float = 0.02, longest: float = 0.5) -> float:
    """Seconds to wait before attempt `attempt` + 1 (the first is 1): exponential, fully jittered."""
    return random.uniform(0, min(longest, first * 2 ** (attempt - 1)))  # noqa: S311 - spreading, not secrecy
