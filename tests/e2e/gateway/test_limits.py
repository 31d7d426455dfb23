"""How much one address and one user may ask for; what a caller says of itself does not buy more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from taskservice_local.commands import wait_for
from testkit.edge_client import PROXIES, Answer, Edge

# By the hour: no test takes as long as a window, however slow the machine.
LIMIT = {"requests": 6, "unit": "Hour"}
MOST = 600
REFUSALS = 8


@pytest.fixture
def strict(edge: Edge, reinstalled) -> Iterator[Edge]:
    """Small budgets.  The users are made before: their registrations would be counted."""
    names = ("signInPerAddress", "keysPerAddress", "readsPerUser", "writesPerUser")
    with reinstalled(gateway={"limits": dict.fromkeys(names, LIMIT)}):
        yield edge


def limited(answer: Answer) -> bool:
    """Whether the edge, and not the service, said that it is too much."""
    if answer.status != 429 or answer.by_service:
        return False
    assert answer.document["type"] == "urn:taskservice:problem:rate-limited"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "60"
    return True


def wrong_login(edge: Edge, **headers: str) -> Answer:
    # Refused by the service for its form: costs it no password hash, and counts all the same.
    return edge.ask("POST", "/v1/auth/login", body={}, headers=headers)


def refused_again_and_again(ask: Callable[[int], Answer]) -> bool:
    """Ask, each time in another guise, until the limit has struck often enough.

    Not at once, because proxies hear of a new limit a moment later; and not always, because the edge lets a request
    pass when the count does not arrive in time. If the guise were believed, it would never strike.
    """
    return sum(1 for _ in islice((n for n in range(MOST) if limited(ask(n))), REFUSALS)) == REFUSALS


def test_logins_of_one_address_are_limited_whatever_it_says_of_where_it_comes_from(strict: Edge) -> None:
    def ask(number: int) -> Answer:
        claimed = f"203.0.113.{number % 250 + 1}"
        headers = {"X-Forwarded-For": claimed, "X-Real-IP": claimed, "Forwarded": f"for={claimed}"}
        return wrong_login(strict, **headers)

    assert refused_again_and_again(ask)
    line = strict.logged(lambda entry: entry["path"] == "/v1/auth/login" and entry["status"] == 429)
    assert not line["client_ip"].startswith("203.")
    assert (line["attempts"], line["upstream"]) == (0, None)


def test_a_users_budget_is_the_users_own_and_cannot_be_spent_on_another(edge: Edge, reinstalled) -> None:
    greedy, modest = edge.token(), edge.token()
    usual = {name: {"requests": 1_000_000, "unit": "Minute"} for name in ("signInPerAddress", "keysPerAddress")}
    with reinstalled(gateway={"limits": {**usual, "readsPerUser": LIMIT, "writesPerUser": LIMIT}}):
        assert refused_again_and_again(
            lambda n: edge.ask("GET", "/v1/tasks", token=greedy, headers={"X-TaskService-User": f"another-{n}"})
        )
        assert edge.ask("GET", "/v1/tasks", token=modest).status == 200
        # What may be written is counted apart.
        assert edge.ask("POST", "/v1/tasks", body={"title": "still"}, token=greedy).status == 201


def test_behind_one_proxy_of_ours_the_address_is_the_one_that_it_saw(edge: Edge, reinstalled) -> None:
    with reinstalled(gateway={"trustedHops": 1}):
        claimed = {"X-Forwarded-For": "198.51.100.66, 203.0.113.9"}

        def seen() -> str:
            answer = edge.ask("GET", "/.well-known/jwks.json", headers=claimed)
            line = edge.logged(lambda entry: entry["request_id"] == answer.headers["x-request-id"])
            return line["client_ip"]

        # The proxies hear of the change a moment later; no address but these two is ever seen.
        end = time.monotonic() + 90
        while (address := seen()) != "203.0.113.9":
            assert not address.startswith(("198.", "203."))
            assert time.monotonic() < end


def test_without_the_store_of_the_limits_requests_are_let_through(edge: Edge) -> None:
    token, kubectl = edge.token(), edge.live.stage.kubectl
    store = ("-n", PROXIES, "-l", "app.kubernetes.io/name=ratelimit-redis")
    try:
        kubectl("scale", "deployment", "ratelimit-redis", "-n", PROXIES, "--replicas=0")
        wait_for("the store to be gone", lambda: (kubectl.get("pods", *store) or {"items": [1]})["items"] == [], 60)
        for _ in range(10):
            assert edge.ask("GET", "/v1/tasks", token=token).status == 200
    finally:
        kubectl("scale", "deployment", "ratelimit-redis", "-n", PROXIES, "--replicas=1")
        kubectl("rollout", "status", "deployment", "ratelimit-redis", "-n", PROXIES, "--timeout=60s")
        kubectl("rollout", "status", "deployment", "envoy-ratelimit", "-n", PROXIES, "--timeout=100s")
