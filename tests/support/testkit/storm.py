"""A load that goes on while things break: what was acknowledged is written down, and what may be repeated is repeated.

The client's rule, that of any careful client: a call that changes nothing, or that carries a key by which the service
knows it again, is made again, at most three times, after a broken connection, a time-out, or 502, 503 or 504
(or 409, with a key, while the first of them is still being answered).
Everything else is asked once; whether a failed write happened nobody can tell, so it is listed and not called lost.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from taskservice_demo.load import PASSWORD, Target

PAUSES = (1.0, 3.0, 9.0)
"""Before each repetition, in seconds: together longer than an election of the database, which takes ten or more."""
PASSING = frozenset({502, 503, 504})
IN_FLIGHT = 409
"""Said to a call with a key whose first attempt is still being answered: come back."""
MOST_WORKERS = 32
MOST_SECONDS = 900.0
LONGEST_CALL = 60.0


@dataclass(frozen=True)
class Outcome:
    """One call, with all its repetitions.  ``trouble``: why it was repeated; ``failure``: empty if it came to be."""

    began_at: float
    seconds: float
    kind: str
    repeatable: bool
    trouble: tuple[str, ...]
    failure: str


@dataclass
class Client:
    """One connection that is kept, and opened anew after an error."""

    target: Target
    token: str = ""
    _connection: http.client.HTTPConnection | None = None

    def once(self, method: str, path: str, body: Mapping[str, Any] | None, key: str = "") -> tuple[int, bytes]:
        """Raises OSError or HTTPException."""
        headers = {"Host": self.target.server_name, "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        connection = self._connection or self.target.connection()
        self._connection = None
        try:
            connection.request(method, path, body=json.dumps(body).encode() if body else None, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return response.status, answer

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, repeatable: bool, key: str = ""
    ) -> tuple[int, bytes, list[str]]:
        """Status, body, and the troubles that were met; status 0 if there was no answer at last."""
        troubles: list[str] = []
        status, answer = 0, b""
        for pause in (*PAUSES, None):
            try:
                status, answer = self.once(method, path, body, key)
                if status not in PASSING and not (key and status == IN_FLIGHT):
                    break
                troubles.append(str(status))
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, b""
                troubles.append(f"{type(error).__name__}: {error}")
            if not repeatable or pause is None:
                break
            time.sleep(pause)
        return status, answer, troubles

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@dataclass
class Account:
    """A user of one worker.  ``acknowledged``: identifiers of tasks by title, as the service answered them."""

    email: str
    token: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": PASSWORD}


@dataclass
class Storm:
    """``workers`` at ``rate`` calls a second in all.  ``keyed``: creates carry a key, and may be repeated with it."""

    target: Target
    keyed: bool
    workers: int = 6
    rate: float = 15.0
    outcomes: list[Outcome] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def raging(self) -> Iterator[Storm]:
        """Make the accounts, then call until the end of the block; calls under way are finished and counted."""
        assert 0 < self.workers <= MOST_WORKERS
        self.accounts = [self._register(index) for index in range(self.workers)]
        threads = [
            threading.Thread(target=self._work, args=(account, index), daemon=True, name=f"storm-{index}")
            for index, account in enumerate(self.accounts)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(LONGEST_CALL)
        assert not any(thread.is_alive() for thread in threads)

    def stored(self) -> dict[str, dict[str, str]]:
        """By account: titles of all its tasks by identifier, as the service lists them now."""
        found: dict[str, dict[str, str]] = {}
        for account in self.accounts:
            client, tasks, cursor = Client(self.target, account.token), {}, ""
            while True:
                status, answer, troubles = client.call("GET", f"/v1/tasks?limit=100{cursor}", repeatable=True)
                assert status == 200, (status, answer[:300], troubles)
                page = json.loads(answer)
                tasks |= {task["id"]: task["title"] for task in page["items"]}
                if not page["next"]:
                    break
                cursor = f"&cursor={page['next']}"
            client.close()
            found[account.email] = tasks
        return found

    def summary(self) -> str:
        """What happened, for people: calls, how many needed a repetition and why, and the failed ones."""
        lines = []
        for kind in sorted({outcome.kind for outcome in self.outcomes}):
            these = [outcome for outcome in self.outcomes if outcome.kind == kind]
            repeated = [outcome for outcome in these if outcome.repeatable and outcome.trouble]
            failed = [outcome for outcome in these if outcome.failure]
            slowest = max(outcome.seconds for outcome in these)
            lines.append(f"{kind}: {len(these)} calls, {len(repeated)} repeated, {len(failed)} failed, {slowest:.1f} s")
        why = Counter(trouble for outcome in self.outcomes for trouble in outcome.trouble)
        lines += [f"  met {number} times: {trouble}" for trouble, number in why.most_common(12)]
        lines += [
            f"  failed {time.strftime('%T', time.gmtime(outcome.began_at))}: {outcome.kind} {outcome.failure}"
            for outcome in self.outcomes
            if outcome.failure
        ]
        return "\n".join(lines)

    def _register(self, index: int) -> Account:
        account, client = Account(f"storm-{time.time_ns():x}-{index}@example.org"), Client(self.target)
        for path, expected in (("register", 201), ("login", 200)):
            status, answer, troubles = client.call(
                "POST", f"/v1/auth/{path}", account.credentials, repeatable=path == "login"
            )
            assert status == expected, (path, status, answer[:300], troubles)
        client.close()
        account.token = json.loads(answer)["access_token"]
        return account

    def _work(self, account: Account, index: int) -> None:
        dice, client = random.Random(index), Client(self.target, account.token)
        began, pause = time.monotonic(), self.workers / self.rate
        while not self._stop.wait(pause * (0.5 + dice.random())) and time.monotonic() - began < MOST_SECONDS:
            self._one(account, client, dice.random(), dice)
        client.close()

    def _one(self, account: Account, client: Client, roll: float, dice: random.Random) -> None:
        key, title = "", ""
        body: dict[str, Any] | None = None
        if roll < 0.03:
            kind, method, path, expected, repeatable = "login", "POST", "/v1/auth/login", 200, False
            body = account.credentials
        elif roll < 0.4 or not account.acknowledged:
            kind, method, path, expected, repeatable = "create", "POST", "/v1/tasks", 201, self.keyed
            title = f"{account.email} {uuid.uuid4()}"
            key, body = (str(uuid.uuid4()) if self.keyed else ""), {"title": title}
        elif roll < 0.7:
            kind, method, expected, repeatable = "get", "GET", 200, True
            path = f"/v1/tasks/{dice.choice(list(account.acknowledged.values()))}"
        else:
            kind, method, path, expected, repeatable = "list", "GET", "/v1/tasks?limit=10", 200, True
        began_at, began = time.time(), time.monotonic()
        status, answer, troubles = client.call(method, path, body, repeatable=repeatable, key=key)
        failure = ""
        if status != expected:
            failure = f"{status or troubles[-1]} {answer[:120].decode(errors='replace')}"
        elif kind == "login":
            client.token = account.token = json.loads(answer)["access_token"]
        elif kind == "create":
            account.acknowledged[title] = json.loads(answer)["id"]
        seconds = time.monotonic() - began
        self.outcomes.append(Outcome(began_at, seconds, kind, repeatable, tuple(troubles), failure))
