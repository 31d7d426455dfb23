"""Who answers: fresh connections to one Service at a steady rate, each remembered with the revision that answered."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from taskservice_demo.load import REVISION_HEADER, Target


@dataclass
class Answers:
    """``taken``: ``(time.time, revision or "", what failed or "")`` of each request.  ``rate``: requests per second."""

    target: Target
    rate: float = 40.0
    workers: int = 4
    taken: list[tuple[float, str, str]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[Answers]:
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(15)

    def failed(self, since: float, until: float) -> list[tuple[float, str, str]]:
        return [each for each in list(self.taken) if each[2] and since <= each[0] < until]

    def by_revision(self, since: float) -> Counter[str]:
        """How many answers came from each revision after a moment."""
        return Counter(revision for at, revision, failure in list(self.taken) if at >= since and not failure)

    def _work(self) -> None:
        while not self._stop.wait(self.workers / self.rate):
            revision, failure = "", ""
            connection = http.client.HTTPConnection(self.target.host, self.target.port, timeout=10)
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                revision = response.getheader(REVISION_HEADER, "")
                failure = "" if response.status == 200 else f"status {response.status}"
                response.read()
            except (OSError, http.client.HTTPException) as error:
                failure = f"{type(error).__name__}: {error}"
            finally:
                connection.close()
            self.taken.append((time.time(), revision, failure))
