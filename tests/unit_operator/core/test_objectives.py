"""Objectives among the owned objects: they come and go with ``spec.slo``, release nothing, cost nothing while idle."""

from __future__ import annotations

from datetime import UTC, datetime

from taskservice_operator.cluster.memory import MemoryCluster
from taskservice_operator.cluster.port import Ref
from taskservice_operator.core.model import WriteStatus
from taskservice_operator.core.reconcile import decide

SLO = {"availability": "99.9", "latency": {"percentile": 99, "milliseconds": 300}}


def a_cluster(**spec: object) -> tuple[MemoryCluster, Ref]:
    cluster = MemoryCluster(datetime(2026, 1, 1, tzinfo=UTC))
    ref = cluster.create_taskservice({"metadata": {"name": "web"}, "spec": {"image": "web:1", **spec}})
    settle(cluster, ref)
    return cluster, ref


def settle(cluster: MemoryCluster, ref: Ref, seconds: int = 30) -> None:
    for _ in range(seconds):
        snapshot = cluster.snapshot(ref)
        assert snapshot is not None
        plan = decide(snapshot, cluster.now)
        for action in plan.actions:
            cluster.perform(ref, action, plan.status)
        cluster.record_status(ref, plan.status)
        cluster.tick(1)


def objectives(cluster: MemoryCluster) -> list[str]:
    return sorted(
        f"{kind} {manifest['metadata']['name']}"
        for kind in ("ConfigMap", "PrometheusRule")
        for manifest in cluster.all(kind)
    )


def revision(cluster: MemoryCluster, ref: Ref) -> str:
    return cluster.get(("TaskService", ref.namespace, ref.name))["status"]["revisions"]["active"]


def test_without_slo_there_are_none() -> None:
    cluster, _ = a_cluster()
    assert objectives(cluster) == []


def test_with_slo_there_are_rules_and_a_dashboard_and_nothing_is_written_again() -> None:
    cluster, ref = a_cluster(slo=SLO)
    assert objectives(cluster) == ["ConfigMap web-slo-dashboard", "ConfigMap web-slo-rules"]
    written = len(cluster.writes)
    settle(cluster, ref, 400)
    # The floor of a first release is forgotten ten minutes after it; nothing else happens.
    assert [write.kind for write in cluster.writes[written:] if write.kind in ("ConfigMap", "PrometheusRule")] == []


def test_a_changed_promise_changes_the_rules_and_releases_nothing() -> None:
    cluster, ref = a_cluster(slo=SLO)
    before, rules = revision(cluster, ref), cluster.get(("ConfigMap", "default", "web-slo-rules"))
    cluster.patch(ref, {"spec": {"slo": {"availability": "99"}}})
    settle(cluster, ref)
    assert revision(cluster, ref) == before
    assert cluster.get(("ConfigMap", "default", "web-slo-rules"))["data"] != rules["data"]


def test_a_promise_taken_back_takes_them_away_also_while_nothing_is_released() -> None:
    cluster, ref = a_cluster(slo=SLO)
    cluster.patch(ref, {"spec": {"slo": None}})
    settle(cluster, ref, 5)
    assert objectives(cluster) == []


def test_one_deleted_by_hand_comes_back() -> None:
    cluster, ref = a_cluster(slo=SLO)
    cluster.remove(("ConfigMap", "default", "web-slo-rules"))
    settle(cluster, ref, 5)
    assert "ConfigMap web-slo-rules" in objectives(cluster)


def test_the_kind_of_the_prometheus_operator_is_used_once_it_is_there_and_left_when_it_goes() -> None:
    cluster, ref = a_cluster(slo=SLO)
    cluster.served = frozenset({"PrometheusRule"})
    settle(cluster, ref, 5)
    assert objectives(cluster) == ["ConfigMap web-slo-dashboard", "PrometheusRule web"]
    written = len(cluster.writes)
    settle(cluster, ref, 5)
    assert len(cluster.writes) == written


def test_they_do_not_keep_a_release_waiting() -> None:
    cluster, ref = a_cluster(slo=SLO)
    snapshot = cluster.snapshot(ref)
    assert snapshot is not None
    cluster.patch(ref, {"spec": {"image": "web:2", "slo": {"availability": "99"}}})
    plan = decide(cluster.snapshot(ref) or snapshot, cluster.now)
    kinds = [action.manifest["kind"] for action in plan.actions if hasattr(action, "manifest")]  # type: ignore[union-attr]
    assert "ConfigMap" in kinds
    assert "Deployment" in kinds
    assert not any(isinstance(action, WriteStatus) for action in plan.actions[:1])
