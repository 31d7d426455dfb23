"""The cache stays right although its sources race, keeps no more than it needs, and knows whom a change concerns."""

from __future__ import annotations

from typing import Any

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster.cache import Cache
from taskservice_operator.cluster.kinds import CONFIG_MAP
from taskservice_operator.cluster.port import Incomplete, Ref
from taskservice_operator.core.model import ObjectKey
from testkit.cluster_contract import config_map, deployment

REF = Ref("default", "demo")
KEY = ObjectKey("v1", "ConfigMap", "demo-a")


def taskservice(version: int = 1, config: str | None = None) -> dict[str, Any]:
    spec = {"image": "demo:v1", "config": [{"name": "c", "configMapRef": {"name": config}}] if config else []}
    metadata = {"name": "demo", "namespace": "default", "uid": "u1", "resourceVersion": str(version)}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}


def child(version: int, **data: str) -> dict[str, Any]:
    manifest = config_map(taskservice(), "demo-a", **data)
    manifest["metadata"] |= {"resourceVersion": str(version), "uid": "c1"}
    return manifest


def source(version: int, **data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "default", "uid": "s1", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def cache() -> Cache:
    cache = Cache()
    cache.update(taskservice())
    return cache


def objects(cache: Cache) -> dict[ObjectKey, Any]:
    snapshot = cache.snapshot(REF)
    assert snapshot is not None
    return dict(snapshot.objects)


class TestVersions:
    def test_a_child_wakes_its_taskservice(self, cache: Cache) -> None:
        assert cache.update(child(5)) == {REF}

    def test_an_older_version_changes_nothing(self, cache: Cache) -> None:
        cache.update(child(5, new="1"))
        assert cache.update(child(4, old="1")) == frozenset()
        assert objects(cache)[KEY]["data"] == {"new": "1"}

    def test_a_slow_answer_does_not_bring_a_deleted_object_back(self, cache: Cache) -> None:
        cache.update(child(5))
        cache.remove(child(7))
        cache.update(child(6))
        assert objects(cache) == {}

    def test_a_late_deletion_does_not_remove_the_successor(self, cache: Cache) -> None:
        cache.update(child(9))
        cache.remove(child(7))
        assert KEY in objects(cache)

    def test_managed_fields_are_not_kept(self, cache: Cache) -> None:
        manifest = child(5)
        manifest["metadata"]["managedFields"] = [{}]
        cache.update(manifest)
        assert "managedFields" not in objects(cache)[KEY]["metadata"]

    def test_who_has_set_the_replica_count_is_kept(self, cache: Cache) -> None:
        manifest = deployment(taskservice(), "demo-1")
        claim = {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        other = {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:template": {}}}}
        manifest["metadata"] |= {"resourceVersion": "5", "uid": "d1", "managedFields": [claim, other]}
        cache.update(manifest)
        kept = objects(cache)[ObjectKey("apps/v1", "Deployment", "demo-1")]["metadata"]["managedFields"]
        assert kept == [claim]

    def test_what_was_found_absent_does_not_come_back_by_a_slow_answer(self, cache: Cache) -> None:
        cache.update(child(5))
        cache.absent(CONFIG_MAP, "default", "demo-a", since=cache.stamp)
        cache.update(child(5))
        assert objects(cache) == {}


class TestLists:
    def test_what_vanished_in_a_watch_gap_is_found_and_tells_its_taskservice(self, cache: Cache) -> None:
        cache.update(child(5))
        assert cache.replace(CONFIG_MAP, None, [], since=cache.stamp) == {REF}
        assert objects(cache) == {}

    def test_what_was_seen_after_the_list_was_asked_for_stays(self, cache: Cache) -> None:
        since = cache.stamp
        cache.update(child(5))
        cache.replace(CONFIG_MAP, None, [], since=since)
        assert KEY in objects(cache)

    def test_a_list_of_another_namespace_prunes_nothing_here(self, cache: Cache) -> None:
        cache.update(child(5))
        cache.replace(CONFIG_MAP, "elsewhere", [], since=cache.stamp)
        assert KEY in objects(cache)

    def test_a_list_that_says_what_is_known_wakes_nobody(self, cache: Cache) -> None:
        cache.update(child(5))
        assert cache.replace(CONFIG_MAP, None, [child(5)], since=cache.stamp) == frozenset()


class TestOwnership:
    def test_a_child_of_a_former_namesake_is_not_ours(self, cache: Cache) -> None:
        manifest = child(5)
        manifest["metadata"]["ownerReferences"][0]["uid"] = "u0"
        cache.update(manifest)
        assert objects(cache) == {}

    def test_strangers_are_not_kept(self, cache: Cache) -> None:
        assert cache.update(source(5)) == frozenset()
        assert cache.get(CONFIG_MAP, "default", "settings") is None

    def test_nothing_of_a_deleted_taskservice_is_shown(self, cache: Cache) -> None:
        cache.update(child(5))
        cache.remove(taskservice(8))
        assert cache.snapshot(REF) is None
        assert cache.refs == frozenset()


class TestSources:
    def test_a_reference_that_was_never_read_makes_the_picture_incomplete(self, cache: Cache) -> None:
        cache.update(taskservice(2, config="settings"))
        with pytest.raises(Incomplete):
            cache.snapshot(REF)

    def test_a_referenced_source_is_kept_and_wakes(self, cache: Cache) -> None:
        cache.update(taskservice(2, config="settings"))
        assert cache.update(source(5, one="1")) == {REF}
        snapshot = cache.snapshot(REF)
        assert snapshot is not None
        assert snapshot.sources == {("ConfigMap", "settings"): {"one": "1"}}

    def test_an_absent_source_is_known_to_be_absent_until_it_appears(self, cache: Cache) -> None:
        cache.update(taskservice(2, config="settings"))
        cache.absent(CONFIG_MAP, "default", "settings", since=cache.stamp)
        snapshot = cache.snapshot(REF)
        assert snapshot is not None
        assert snapshot.sources == {("ConfigMap", "settings"): None}
        assert cache.update(source(5)) == {REF}

    def test_an_answer_of_absence_does_not_beat_a_watch_that_was_faster(self, cache: Cache) -> None:
        cache.update(taskservice(2, config="settings"))
        since = cache.stamp
        cache.update(source(5, one="1"))
        cache.absent(CONFIG_MAP, "default", "settings", since=since)
        snapshot = cache.snapshot(REF)
        assert snapshot is not None
        assert snapshot.sources[("ConfigMap", "settings")] == {"one": "1"}

    def test_contents_are_dropped_with_the_last_reference(self, cache: Cache) -> None:
        cache.update(taskservice(2, config="settings"))
        cache.update(source(5))
        cache.update(taskservice(3))
        assert cache.get(CONFIG_MAP, "default", "settings") is None
        assert cache.referenced() == frozenset()
