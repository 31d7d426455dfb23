"""The memory cluster keeps the contract, plays the controllers, and fails where it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster.errors import Conflict, Transient
from taskservice_operator.cluster.memory import Crashed, MemoryCluster
from taskservice_operator.cluster.memory_world import CRASHES, NEVER_READY, Behaviour, is_ready
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import Apply, Create, ObjectKey
from testkit.cluster_contract import ClusterContract, config_map, deployment, owned

START = datetime(2026, 1, 1, tzinfo=UTC)
Address = tuple[str, str, str]


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster(START)


class _Hands:
    namespace = "default"

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def create_taskservice(self, name: str, spec: Mapping[str, Any]) -> Ref:
        return self._cluster.create_taskservice({"metadata": {"name": name}, "spec": spec})

    async def put(self, manifest: Mapping[str, Any]) -> None:
        self._cluster.put(manifest)

    async def get(self, address: Address) -> Mapping[str, Any] | None:
        return self._cluster.store.get(address)

    async def edit(self, address: Address, change: Mapping[str, Any]) -> None:
        self._cluster.edit(address, change)

    async def remove(self, address: Address) -> None:
        self._cluster.remove(address)


class TestContract(ClusterContract):
    @pytest.fixture
    def hands(self, cluster: MemoryCluster) -> _Hands:
        return _Hands(cluster)


@pytest.fixture
def ref(cluster: MemoryCluster) -> Ref:
    return cluster.create_taskservice({"metadata": {"name": "demo"}, "spec": {"image": "demo:v1"}})


def taskservice(cluster: MemoryCluster, ref: Ref) -> dict[str, Any]:
    return cluster.get((names.KIND, ref.namespace, ref.name))


def ready_pods(cluster: MemoryCluster) -> int:
    return sum(map(is_ready, cluster.all("Pod")))


def make_deployment(cluster: MemoryCluster, ref: Ref, name: str = "demo-1") -> None:
    cluster.perform(ref, Create(deployment(taskservice(cluster, ref), name)))


def make_service(cluster: MemoryCluster, ref: Ref, target: str) -> None:
    spec = {"selector": {"app": target}, "ports": [{"port": 8000}]}
    cluster.perform(ref, Apply(owned(taskservice(cluster, ref), "v1", "Service", "demo", spec=spec)))


def live_addresses(cluster: MemoryCluster) -> int:
    [endpoint_slice] = cluster.all("EndpointSlice")
    return sum(endpoint["conditions"]["ready"] for endpoint in endpoint_slice["endpoints"])


class TestWorld:
    def test_pods_become_ready_after_their_time_and_not_before(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.script("demo:v1", Behaviour(ready_after=3))
        make_deployment(cluster, ref)
        cluster.tick(3)
        assert ready_pods(cluster) == 0
        cluster.tick(1)
        assert ready_pods(cluster) == 2
        assert cluster.all("Deployment")[0]["status"]["availableReplicas"] == 2

    @pytest.mark.parametrize("behaviour", [CRASHES, NEVER_READY])
    def test_bad_pods_never_become_ready(self, cluster: MemoryCluster, ref: Ref, behaviour: Behaviour) -> None:
        cluster.script("demo:v1", behaviour)
        make_deployment(cluster, ref)
        cluster.tick(100)
        assert ready_pods(cluster) == 0

    def test_a_crashing_pod_says_so(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.script("demo:v1", CRASHES)
        make_deployment(cluster, ref)
        cluster.tick(1)
        [container] = cluster.all("Pod")[0]["status"]["containerStatuses"]
        assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"

    def test_a_pod_may_break_later(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.script("demo:v1", Behaviour(ready_after=1, unready_at=10))
        make_deployment(cluster, ref)
        cluster.tick(5)
        assert ready_pods(cluster) == 2
        cluster.tick(10)
        assert ready_pods(cluster) == 0

    def test_endpoints_follow_the_selector_with_a_delay(self, cluster: MemoryCluster, ref: Ref) -> None:
        make_deployment(cluster, ref, "demo-1")
        make_service(cluster, ref, "demo-1")
        cluster.tick(5)
        assert live_addresses(cluster) == 2
        make_service(cluster, ref, "demo-2")
        assert live_addresses(cluster) == 2
        cluster.tick(1)
        assert live_addresses(cluster) == 0

    def test_a_service_keeps_its_address(self, cluster: MemoryCluster, ref: Ref) -> None:
        make_service(cluster, ref, "demo-1")
        address = cluster.all("Service")[0]["spec"]["clusterIP"]
        make_service(cluster, ref, "demo-2")
        assert cluster.all("Service")[0]["spec"]["clusterIP"] == address

    def test_scaling_down_ends_pods_after_a_moment(self, cluster: MemoryCluster, ref: Ref) -> None:
        make_deployment(cluster, ref)
        cluster.tick(5)
        cluster.edit(("Deployment", "default", "demo-1"), {"spec": {"replicas": 0}})
        cluster.tick(1)
        assert all("deletionTimestamp" in pod["metadata"] for pod in cluster.all("Pod"))
        cluster.tick(2)
        assert cluster.all("Pod") == []

    def test_the_autoscaler_follows_the_demand_on_what_is_live(self, cluster: MemoryCluster, ref: Ref) -> None:
        make_deployment(cluster, ref)
        make_service(cluster, ref, "demo-1")
        spec = {"scaleTargetRef": {"kind": "Deployment", "name": "demo-1"}, "minReplicas": 2, "maxReplicas": 6}
        owner = taskservice(cluster, ref)
        kind = "HorizontalPodAutoscaler"
        cluster.perform(ref, Create(owned(owner, "autoscaling/v2", kind, "demo-1", spec=spec)))
        cluster.demand(ref, 5)
        cluster.tick(2)
        assert cluster.all("Deployment")[0]["spec"]["replicas"] == 5

    def test_replicas_given_up_without_an_autoscaler_fall_back_to_one(self, cluster: MemoryCluster, ref: Ref) -> None:
        make_deployment(cluster, ref)
        manifest = deployment(taskservice(cluster, ref), "demo-1")
        del manifest["spec"]["replicas"]
        cluster.perform(ref, Apply(manifest))
        assert cluster.all("Deployment")[0]["spec"]["replicas"] == 1

    def test_deleting_the_taskservice_collects_all_it_owned_and_nothing_else(
        self, cluster: MemoryCluster, ref: Ref
    ) -> None:
        cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}})
        make_deployment(cluster, ref)
        make_service(cluster, ref, "demo-1")
        cluster.tick(3)
        cluster.delete_taskservice(ref)
        cluster.tick(3)
        assert list(cluster.store) == [("ConfigMap", "default", "theirs")]

    def test_the_same_script_gives_the_same_world(self) -> None:
        worlds = []
        for _ in range(2):
            cluster = MemoryCluster(START)
            ref = cluster.create_taskservice({"metadata": {"name": "demo"}, "spec": {"image": "demo:v1"}})
            make_deployment(cluster, ref)
            cluster.tick(5)
            worlds.append((cluster.store, cluster.writes))
        assert worlds[0] == worlds[1]


class TestFailures:
    def test_a_failed_write_has_no_effect(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.fail_write(1, Conflict("too slow"))
        with pytest.raises(Conflict):
            make_deployment(cluster, ref)
        assert cluster.all("Deployment") == []

    def test_a_lost_answer_has_its_effect(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.lose_answer(1, Transient("no answer"))
        with pytest.raises(Transient):
            make_deployment(cluster, ref)
        assert len(cluster.all("Deployment")) == 1

    def test_a_crash_comes_after_the_write_it_was_ordered_for(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.crash_after_write(2)
        make_deployment(cluster, ref, "demo-1")
        with pytest.raises(Crashed):
            make_deployment(cluster, ref, "demo-2")
        make_deployment(cluster, ref, "demo-3")
        assert [write.name for write in cluster.writes] == ["demo-1", "demo-2", "demo-3"]

    def test_writes_tell_whether_they_changed_anything(self, cluster: MemoryCluster, ref: Ref) -> None:
        manifest = config_map(taskservice(cluster, ref), "demo-a", one="1")
        cluster.perform(ref, Create(manifest))
        cluster.perform(ref, Apply(manifest))
        assert [write.changed for write in cluster.writes] == [True, False]

    @pytest.mark.anyio
    async def test_frozen_watches_show_the_past_until_thawed(self, cluster: MemoryCluster, ref: Ref) -> None:
        cluster.freeze_watches()
        make_deployment(cluster, ref)
        key = ObjectKey("apps/v1", "Deployment", "demo-1")
        frozen, live = await cluster.observe(ref, live=False), await cluster.observe(ref, live=True)
        assert frozen is not None
        assert live is not None
        assert (key in frozen.objects, key in live.objects) == (False, True)
        cluster.thaw_watches()
        thawed = await cluster.observe(ref, live=False)
        assert thawed is not None
        assert key in thawed.objects
