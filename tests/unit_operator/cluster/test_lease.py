"""Leadership: taken when free, kept by renewing, lost by time alone, handed over on release."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from taskservice_operator.cluster.errors import Conflict, LeaseLost, NotFound, Transient
from taskservice_operator.cluster.lease import LEASE_SECONDS, RENEW_SECONDS, Leadership

pytestmark = pytest.mark.anyio


class Server:
    """One Lease with optimistic locking, and a clock."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.now = 1000.0
        self.is_down = False

    async def request(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, seconds: float = 0
    ) -> dict[str, Any]:
        if self.is_down:
            raise Transient("no answer")
        if method == "GET":
            if self.lease is None:
                raise NotFound("no lease")
            return copy.deepcopy(self.lease)
        assert body is not None
        if method == "POST" and self.lease is not None:
            raise Conflict("exists")
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict("changed")
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.lease

    def candidate(self, identity: str) -> Leadership:
        return Leadership(self, "default", "lease", identity, clock=lambda: self.now)


@pytest.fixture
def server() -> Server:
    return Server()


async def test_a_free_lease_is_taken_and_a_held_one_is_not(server: Server) -> None:
    first, second = server.candidate("first"), server.candidate("second")
    await first._attempt()
    await second._attempt()
    assert (first.is_held, second.is_held) == (True, False)
    with pytest.raises(LeaseLost):
        second.check()


async def test_it_is_lost_by_time_alone_and_before_others_may_take_it(server: Server) -> None:
    leader = server.candidate("leader")
    await leader._attempt()
    server.is_down = True
    server.now += RENEW_SECONDS - 0.1
    await leader._attempt()
    assert leader.is_held
    server.now += 0.2
    with pytest.raises(LeaseLost):
        leader.check()
    assert RENEW_SECONDS < LEASE_SECONDS


async def test_a_follower_waits_for_the_whole_duration_without_a_sign_of_life(server: Server) -> None:
    leader, follower = server.candidate("leader"), server.candidate("follower")
    await leader._attempt()
    await follower._attempt()
    server.now += LEASE_SECONDS - 1
    await leader._attempt()  # a sign of life: the wait begins anew
    await follower._attempt()
    server.now += LEASE_SECONDS - 1
    await follower._attempt()
    assert not follower.is_held
    server.now += 2
    await follower._attempt()
    assert follower.is_held
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 1


async def test_of_two_that_see_it_expire_one_wins(server: Server) -> None:
    dead, one, two = (server.candidate(name) for name in ("dead", "one", "two"))
    await dead._attempt()
    for candidate in (one, two):
        await candidate._attempt()
    server.now += LEASE_SECONDS + 1
    for candidate in (one, two):
        await candidate._attempt()
    assert [one.is_held, two.is_held] == [True, False]


async def test_a_leader_that_finds_another_holder_ends(server: Server) -> None:
    leader = server.candidate("leader")
    await leader._attempt()
    leader.acquired.set()
    assert server.lease is not None
    server.lease["spec"]["holderIdentity"] = "usurper"
    with pytest.raises(LeaseLost, match="usurper"):
        await leader._attempt()


async def test_a_released_lease_is_taken_at_once(server: Server) -> None:
    leader, follower = server.candidate("leader"), server.candidate("follower")
    await leader._attempt()
    await leader.release()
    assert not leader.is_held
    await follower._attempt()
    assert follower.is_held
