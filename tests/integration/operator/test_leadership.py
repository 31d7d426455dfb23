"""Two operators, one leader; a leader that slept too long writes nothing when it wakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster.lease import LEASE_SECONDS
from testkit.kube_hands import KubeHands, until

pytestmark = pytest.mark.anyio

TAKEOVER_SECONDS = LEASE_SECONDS + 10


async def test_the_follower_takes_over_from_a_paused_leader_which_then_writes_nothing(
    hands: KubeHands, namespace: str, operators: Any
) -> None:
    leader = await operators.start()
    await until(leader.is_leader, "the first leads")
    follower = await operators.start()
    assert not await follower.is_leader()
    ref = await hands.create_taskservice("led", {"image": "demo:v1"}, namespace)
    await until(lambda: hands.status(ref), "the leader works")
    assert await follower.writes() == 0

    leader.pause()
    await until(follower.is_leader, "the second leads", TAKEOVER_SECONDS)
    await hands.edit((names.KIND, namespace, "led"), {"spec": {"image": "demo:v2"}})
    generation = 2

    async def seen() -> bool:
        return (await hands.status(ref)).get("observedGeneration") == generation

    await until(seen, "the second works")
    await asyncio.sleep(2)
    versions = await hands.versions(namespace)
    told = len(leader.lines)
    leader.resume()
    assert await leader.ended() == 1
    await asyncio.sleep(1)
    assert await hands.versions(namespace) == versions
    assert "lease_lost" in leader.events()
    assert "taskservice_changed" not in leader.events()[told:]


async def test_the_follower_takes_over_at_once_from_a_leader_that_stops(
    hands: KubeHands, namespace: str, operators: Any
) -> None:
    leader = await operators.start()
    await until(leader.is_leader, "the first leads")
    follower = await operators.start()
    leader.terminate()
    assert await leader.ended() == 0
    await until(follower.is_leader, "the second leads", 6)
