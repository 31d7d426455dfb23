"""The adapter of a real API server keeps the contract that the one in memory keeps."""

from __future__ import annotations

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.errors import Conflict, Forbidden, Invalid, LeaseLost, NotFound
from taskservice_operator.cluster.kube import MERGE_PATCH, KubeApi
from taskservice_operator.cluster.live import LiveCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import Apply, Create, ObjectKey
from testkit.cluster_contract import ClusterContract, config_map, deployment, look
from testkit.kube_hands import KubeHands


@pytest.fixture
def cluster(api: KubeApi, namespace: str) -> LiveCluster:
    return LiveCluster(api, Cache())


class TestContract(ClusterContract):
    pass


@pytest.mark.anyio
class TestRealServer:
    async def test_a_field_that_does_not_exist_is_invalid(self, cluster: LiveCluster, hands: KubeHands) -> None:
        ref = await hands.create_taskservice("unknown-field", {"image": "demo:v1"})
        manifest = deployment((await look(cluster, ref)).taskservice, "unknown-field-a")
        manifest["spec"]["template"]["spec"]["containers"][0]["probe"] = {}
        with pytest.raises(Invalid, match="probe"):
            await cluster.carry_out(ref, Create(manifest))

    async def test_a_namespace_that_is_not_there_is_not_found(self, cluster: LiveCluster, hands: KubeHands) -> None:
        ref = await hands.create_taskservice("no-namespace", {"image": "demo:v1"})
        manifest = config_map((await look(cluster, ref)).taskservice, "no-namespace-a")
        with pytest.raises(NotFound):
            await cluster.carry_out(Ref("no-such", "no-namespace"), Create(manifest))

    async def test_a_quota_that_is_used_up_is_forbidden(
        self, cluster: LiveCluster, hands: KubeHands, api: KubeApi, namespace: str
    ) -> None:
        ref = await hands.create_taskservice("quota", {"image": "demo:v1"}, namespace)
        hard = {"configmaps": "0"}
        quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
        await api.request("POST", quotas, body={"metadata": {"name": "none"}, "spec": {"hard": hard}})
        status = {"status": {"hard": hard, "used": hard}}  # in force once counted; not left to a controller's pace
        await api.request("PATCH", f"{quotas}/none/status", body=status, content_type=MERGE_PATCH)
        manifest = config_map((await look(cluster, ref)).taskservice, "quota-a")
        with pytest.raises(Forbidden, match="quota"):
            await cluster.carry_out(ref, Create(manifest))

    async def test_apply_never_lands_on_a_namesake_of_the_object_that_was_seen(
        self, cluster: LiveCluster, hands: KubeHands
    ) -> None:
        ref = await hands.create_taskservice("namesake", {"image": "demo:v1"})
        manifest = config_map((await look(cluster, ref)).taskservice, "namesake-a", ours="1")
        await cluster.carry_out(ref, Create(manifest))
        address = ("ConfigMap", hands.namespace, "namesake-a")
        await hands.remove(address)
        metadata = {"name": "namesake-a", "namespace": hands.namespace}
        await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "1"}})
        with pytest.raises(Conflict):
            await cluster.carry_out(ref, Apply(manifest))
        theirs = await hands.get(address)
        assert theirs is not None
        assert theirs["data"] == {"theirs": "1"}

    async def test_all_our_fields_have_one_manager(self, cluster: LiveCluster, hands: KubeHands) -> None:
        ref = await hands.create_taskservice("manager", {"image": "demo:v1"})
        manifest = deployment((await look(cluster, ref)).taskservice, "manager-a")
        await cluster.carry_out(ref, Create(manifest))
        await cluster.carry_out(ref, Apply(manifest))
        stored = await hands.get(("Deployment", hands.namespace, "manager-a"))
        assert stored is not None
        managers = [(entry["manager"], entry["operation"]) for entry in stored["metadata"]["managedFields"]]
        assert managers.count((names.FIELD_MANAGER, "Apply")) == 1
        assert (names.FIELD_MANAGER, "Update") not in managers

    async def test_nothing_is_written_without_the_lease(self, api: KubeApi, hands: KubeHands, namespace: str) -> None:
        def fence() -> None:
            raise LeaseLost("not ours")

        cluster = LiveCluster(api, Cache(), fence=fence)
        ref = await hands.create_taskservice("fenced", {"image": "demo:v1"})
        snapshot = await look(cluster, ref)
        with pytest.raises(LeaseLost):
            await cluster.carry_out(ref, Create(config_map(snapshot.taskservice, "fenced-a")))
        with pytest.raises(LeaseLost):
            await cluster.write_status(ref, {}, snapshot.taskservice)
        assert (await look(cluster, ref)).objects == {}

    async def test_relisting_forgets_what_vanished_unnoticed(self, cluster: LiveCluster, hands: KubeHands) -> None:
        ref = await hands.create_taskservice("vanished", {"image": "demo:v1"})
        manifest = config_map((await look(cluster, ref)).taskservice, "vanished-a")
        await cluster.carry_out(ref, Create(manifest))
        await hands.remove(("ConfigMap", hands.namespace, "vanished-a"))
        glance = await cluster.observe(ref, live=False)
        assert glance is not None
        assert ObjectKey("v1", "ConfigMap", "vanished-a") in glance.objects
        await cluster.relist()
        glance = await cluster.observe(ref, live=False)
        assert glance is not None
        assert glance.objects == {}
