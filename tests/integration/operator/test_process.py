"""The operator as a process against a real API server: it converges, idles, heals, and ends in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster import kinds
from taskservice_operator.cluster.kinds import Kind
from taskservice_operator.cluster.port import Ref
from testkit.kube_hands import KubeHands, Kubelet, until

pytestmark = pytest.mark.anyio

QUIET_SECONDS = 8.0


async def owned_names(hands: KubeHands, kind: Kind, namespace: str) -> list[str]:
    """Names of the objects that a TaskService controls."""
    found = await hands.all(kind, namespace)
    return [manifest["metadata"]["name"] for manifest in found if kinds.owner_name(manifest)]


async def settled(hands: KubeHands, ref: Ref) -> dict[str, Any]:
    """Wait until the TaskService is ready and nothing changes; return the status."""

    async def quiet() -> dict[str, Any] | None:
        before = await hands.versions(ref.namespace)
        await asyncio.sleep(1.5)
        same = before == await hands.versions(ref.namespace)
        ready = (await hands.condition(ref, "Ready")).get("status") == "True"
        return await hands.status(ref) if same and ready else None

    return await until(quiet, f"{ref} is ready and quiet", 60)


async def test_a_taskservice_is_released_and_its_next_version_too(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    await operators.start()
    ref = await hands.create_taskservice("demo", {"image": "demo:v1"}, namespace)
    first = await settled(hands, ref)
    assert first["phase"] == "Stable"
    assert sorted(await owned_names(hands, kinds.SERVICE, namespace)) == ["demo", "demo-preview"]

    await hands.edit((names.KIND, namespace, "demo"), {"spec": {"image": "demo:v2"}})

    async def promoted() -> bool:
        stable = (await hands.status(ref)).get("revisions", {}).get("stable")
        return stable not in (None, first["revisions"]["stable"])

    await until(promoted, "the new version is live", 60)
    service = await hands.get(("Service", namespace, "demo"))
    assert service is not None
    revision = (await hands.status(ref))["revisions"]["stable"]
    assert service["spec"]["selector"][names.LABEL_REVISION] == revision


async def test_an_idle_taskservice_costs_no_writes(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    operator = await operators.start(RESYNC_SECONDS="5")
    ref = await hands.create_taskservice("idle", {"image": "demo:v1"}, namespace)
    await settled(hands, ref)
    writes, versions = await operator.writes(), await hands.versions(namespace)
    await asyncio.sleep(QUIET_SECONDS)
    assert await operator.writes() == writes
    assert await hands.versions(namespace) == versions


async def test_what_is_deleted_or_edited_by_hand_comes_back(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    await operators.start()
    ref = await hands.create_taskservice("healed", {"image": "demo:v1"}, namespace)
    await settled(hands, ref)
    service = ("Service", namespace, "healed")
    before = await hands.get(service)
    assert before is not None
    await hands.remove(service)

    async def back() -> bool:
        now = await hands.get(service)
        return now is not None and now["spec"]["selector"] == before["spec"]["selector"]

    await until(back, "the deleted Service is back", 15)
    await hands.edit(service, {"spec": {"selector": {names.LABEL_REVISION: "nonsense"}}})
    await until(back, "the edited selector is back", 15)


async def test_a_foreign_object_in_the_way_is_named_in_a_condition_and_left_alone(
    hands: KubeHands, namespace: str, operators: Any
) -> None:
    metadata = {"name": "taken", "namespace": namespace}
    await hands.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 1}]}})
    theirs = await hands.get(("Service", namespace, "taken"))
    operator = await operators.start()
    ref = await hands.create_taskservice("taken", {"image": "demo:v1"}, namespace)

    async def told() -> bool:
        return "taken" in (await hands.condition(ref, "Ready")).get("message", "")

    await until(told, "a condition names the Service")
    assert (await hands.condition(ref, "Ready"))["reason"] == "NameCollision"
    assert await hands.get(("Service", namespace, "taken")) == theirs
    writes = await operator.writes()
    await asyncio.sleep(3)
    assert await operator.writes() == writes


async def test_a_manifest_the_server_refuses_ends_in_a_condition_without_a_hot_loop(
    hands: KubeHands, namespace: str, operators: Any
) -> None:
    operator = await operators.start()
    overlay = {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "-1"}}}]}}
    ref = await hands.create_taskservice("refused", {"image": "demo:v1", "podTemplate": overlay}, namespace)

    async def told() -> bool:
        return (await hands.condition(ref, "Stalled")).get("reason") == "ObjectRefused"

    await until(told, "a condition tells of the refusal")
    assert "Deployment" in (await hands.condition(ref, "Stalled"))["message"]
    await asyncio.sleep(2)
    writes = await operator.writes()
    await asyncio.sleep(5)
    assert await operator.writes() == writes


async def test_a_changed_config_map_rolls_out_a_new_revision(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    metadata = {"name": "settings", "namespace": namespace}
    await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"LEVEL": "info"}})
    await operators.start()
    config = [{"name": "settings", "configMapRef": {"name": "settings"}}]
    ref = await hands.create_taskservice("configured", {"image": "demo:v1", "config": config}, namespace)
    before = await settled(hands, ref)
    await hands.edit(("ConfigMap", namespace, "settings"), {"data": {"LEVEL": "debug"}})

    async def rolled() -> bool:
        return (await hands.status(ref))["revisions"].get("stable") != before["revisions"]["stable"]

    await until(rolled, "the new contents are live", 60)


async def test_a_missing_config_map_is_waited_for_and_then_used(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    await operators.start()
    config = [{"name": "late", "configMapRef": {"name": "late"}}]
    ref = await hands.create_taskservice("waits", {"image": "demo:v1", "config": config}, namespace)

    async def told() -> bool:
        return "late" in (await hands.condition(ref, "Ready")).get("message", "")

    await until(told, "a condition names the ConfigMap")
    metadata = {"name": "late", "namespace": namespace}
    await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"LEVEL": "info"}})
    await settled(hands, ref)


async def test_deleting_a_taskservice_removes_all_it_owned_and_nothing_else(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    metadata = {"name": "theirs", "namespace": namespace}
    await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    operator = await operators.start()
    ref = await hands.create_taskservice("goes", {"image": "demo:v1"}, namespace)
    await settled(hands, ref)
    await hands.remove((names.KIND, namespace, "goes"))

    async def gone() -> bool:
        return not [name for kind in kinds.OWNED for name in await owned_names(hands, kind, namespace)]

    await until(gone, "everything owned is collected", 60)
    assert await hands.get(("ConfigMap", namespace, "theirs")) is not None
    assert "reconcile_failed" not in operator.events()


async def test_a_stopped_operator_ends_in_order_and_gives_the_lease_back(
    hands: KubeHands, namespace: str, operators: Any
) -> None:
    operator = await operators.start()
    await until(operator.is_leader, "it leads")
    assert (await operator.ask("/livez"))[0] == 200
    operator.terminate()
    assert await operator.ended() == 0
    lease = await hands.get(("Lease", namespace, "taskservice-operator"))
    assert lease is not None
    assert lease["spec"].get("holderIdentity", "") == ""
    assert operator.events()[-1] == "operator_stopped"


async def test_an_operator_killed_in_the_middle_is_continued_by_the_next(
    hands: KubeHands, namespace: str, kubelet: Kubelet, operators: Any
) -> None:
    first = await operators.start(LEADER_ELECTION="false")
    ref = await hands.create_taskservice("continued", {"image": "demo:v1"}, namespace)
    await until(lambda: hands.status(ref), "it has begun")
    first.kill()
    await operators.start(LEADER_ELECTION="false")
    assert (await settled(hands, ref))["phase"] == "Stable"
