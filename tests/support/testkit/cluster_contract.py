"""What every cluster adapter must do, asked of each: the one in memory and the one of a real API server.

A test module subclasses :class:`ClusterContract` and provides the fixtures ``cluster`` (the port) and ``hands``
(:class:`Hands`: what users and other programs do to the same cluster).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from taskservice_operator.api import names
from taskservice_operator.cluster.errors import Collision, Conflict, Invalid
from taskservice_operator.cluster.port import ClusterPort, Ref
from taskservice_operator.core.model import Apply, Create, Delete, Note, ObjectKey, Snapshot

Json = dict[str, Any]
Address = tuple[str, str, str]


class Hands(Protocol):
    """What others do to the cluster under test, in one namespace.  Addresses are (kind, namespace, name)."""

    @property
    def namespace(self) -> str: ...

    async def create_taskservice(self, name: str, spec: Mapping[str, Any]) -> Ref: ...
    async def put(self, manifest: Mapping[str, Any]) -> None: ...
    async def get(self, address: Address) -> Mapping[str, Any] | None: ...
    async def edit(self, address: Address, change: Mapping[str, Any]) -> None: ...
    async def remove(self, address: Address) -> None: ...


def owned(taskservice: Mapping[str, Any], api_version: str, kind: str, name: str, **content: Any) -> Json:
    """A manifest as the core would give it: labelled, and controlled by the TaskService."""
    metadata = taskservice["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY, names.LABEL_OWNER: metadata["name"]},
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        **content,
    }


def config_map(taskservice: Mapping[str, Any], name: str, **data: str) -> Json:
    return owned(taskservice, "v1", "ConfigMap", name, data=data)


def deployment(taskservice: Mapping[str, Any], name: str, selector: str = "app") -> Json:
    labels = {"app": name, selector: name, names.LABEL_OWNER: taskservice["metadata"]["name"]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "demo:v1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {selector: name}}, "template": template}
    return owned(taskservice, "apps/v1", "Deployment", name, spec=spec)


def status(**fields: Any) -> Json:
    return {"phase": "Stable", "observedGeneration": 1, **fields}


async def look(cluster: ClusterPort, ref: Ref, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot:
    snapshot = await cluster.observe(ref, live=True, foreign=foreign)
    assert snapshot is not None
    return snapshot


class ClusterContract:
    """The tests; subclasses bring the fixtures."""

    pytestmark = pytest.mark.anyio

    async def test_a_taskservice_that_is_not_there_is_none(self, cluster: ClusterPort, hands: Hands) -> None:
        assert await cluster.observe(Ref(hands.namespace, "nobody"), live=True) is None

    async def test_a_created_object_is_observed_as_ours(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("created", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(config_map(before.taskservice, "created-a", one="1")))
        key = ObjectKey("v1", "ConfigMap", "created-a")
        assert (await look(cluster, ref)).objects[key]["data"] == {"one": "1"}

    async def test_our_own_write_is_seen_at_a_glance(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("glance", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(config_map(before.taskservice, "glance-a", one="1")))
        glance = await cluster.observe(ref, live=False)
        assert glance is not None
        assert ObjectKey("v1", "ConfigMap", "glance-a") in glance.objects

    async def test_a_create_whose_answer_was_lost_can_be_repeated(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("twice", {"image": "demo:v1"})
        before = await look(cluster, ref)
        create = Create(config_map(before.taskservice, "twice-a", one="1"))
        await cluster.carry_out(ref, create)
        first = await look(cluster, ref)
        await cluster.carry_out(ref, create)
        assert (await look(cluster, ref)).objects == first.objects

    async def test_a_create_that_meets_one_of_ours_which_says_something_else_changes_nothing(
        self, cluster: ClusterPort, hands: Hands
    ) -> None:
        ref = await hands.create_taskservice("thought-absent", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(config_map(before.taskservice, "thought-absent-a", one="1")))
        with pytest.raises(Conflict, match="is there"):
            await cluster.carry_out(ref, Create(config_map(before.taskservice, "thought-absent-a", one="2")))
        found = await hands.get(("ConfigMap", hands.namespace, "thought-absent-a"))
        assert found is not None
        assert found["data"] == {"one": "1"}

    async def test_a_foreign_object_in_the_way_is_a_collision_and_stays_untouched(
        self, cluster: ClusterPort, hands: Hands
    ) -> None:
        ref = await hands.create_taskservice("collides", {"image": "demo:v1"})
        metadata = {"name": "collides-a", "namespace": hands.namespace}
        await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "1"}})
        address = ("ConfigMap", hands.namespace, "collides-a")
        theirs = await hands.get(address)
        before = await look(cluster, ref)
        with pytest.raises(Collision) as collision:
            await cluster.carry_out(ref, Create(config_map(before.taskservice, "collides-a", ours="1")))
        assert collision.value.key == ObjectKey("v1", "ConfigMap", "collides-a")
        assert await hands.get(address) == theirs

    async def test_an_address_is_foreign_until_its_object_goes(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("freed", {"image": "demo:v1"})
        metadata = {"name": "freed-a", "namespace": hands.namespace}
        await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        suspects = frozenset({ObjectKey("v1", "ConfigMap", "freed-a")})
        assert (await look(cluster, ref, suspects)).foreign == suspects
        await hands.remove(("ConfigMap", hands.namespace, "freed-a"))
        assert (await look(cluster, ref, suspects)).foreign == frozenset()

    async def test_an_object_that_only_carries_our_labels_is_not_ours(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("lookalike", {"image": "demo:v1"})
        before = await look(cluster, ref)
        manifest = config_map(before.taskservice, "lookalike-a")
        del manifest["metadata"]["ownerReferences"]
        await hands.put(manifest)
        assert (await look(cluster, ref)).objects == {}

    async def test_apply_takes_back_edits_of_our_fields_and_leaves_those_of_others(
        self, cluster: ClusterPort, hands: Hands
    ) -> None:
        ref = await hands.create_taskservice("healed", {"image": "demo:v1"})
        before = await look(cluster, ref)
        manifest = config_map(before.taskservice, "healed-a", ours="1")
        await cluster.carry_out(ref, Create(manifest))
        await hands.edit(("ConfigMap", hands.namespace, "healed-a"), {"data": {"ours": "edited", "theirs": "2"}})
        await look(cluster, ref)
        await cluster.carry_out(ref, Apply(manifest))
        healed = await hands.get(("ConfigMap", hands.namespace, "healed-a"))
        assert healed is not None
        assert healed["data"] == {"ours": "1", "theirs": "2"}

    async def test_apply_removes_what_it_no_longer_contains(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("shrinks", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(config_map(before.taskservice, "shrinks-a", one="1", two="2")))
        await cluster.carry_out(ref, Apply(config_map(before.taskservice, "shrinks-a", two="2")))
        after = await look(cluster, ref)
        assert after.objects[ObjectKey("v1", "ConfigMap", "shrinks-a")]["data"] == {"two": "2"}

    async def test_an_apply_that_changes_nothing_leaves_the_version(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("steady", {"image": "demo:v1"})
        before = await look(cluster, ref)
        manifest = config_map(before.taskservice, "steady-a", one="1")
        await cluster.carry_out(ref, Create(manifest))
        key = ObjectKey("v1", "ConfigMap", "steady-a")
        first = (await look(cluster, ref)).objects[key]["metadata"]["resourceVersion"]
        await cluster.carry_out(ref, Apply(manifest))
        assert (await look(cluster, ref)).objects[key]["metadata"]["resourceVersion"] == first

    async def test_an_unacceptable_manifest_is_invalid(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("invalid", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(deployment(before.taskservice, "invalid-a")))
        with pytest.raises(Invalid, match="immutable"):
            await cluster.carry_out(ref, Apply(deployment(before.taskservice, "invalid-a", selector="other")))

    async def test_delete_removes_exactly_the_object_that_was_seen(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("deletes", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await cluster.carry_out(ref, Create(config_map(before.taskservice, "deletes-a")))
        key = ObjectKey("v1", "ConfigMap", "deletes-a")
        uid = (await look(cluster, ref)).objects[key]["metadata"]["uid"]
        with pytest.raises(Conflict):
            await cluster.carry_out(ref, Delete(key, "another-uid"))
        assert key in (await look(cluster, ref)).objects
        await cluster.carry_out(ref, Delete(key, uid))
        await cluster.carry_out(ref, Delete(key, uid))
        assert (await look(cluster, ref)).objects == {}

    async def test_a_written_status_replaces_the_whole_status(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("status", {"image": "demo:v1"})
        first = await look(cluster, ref)
        rollout = {"startedAt": "2026-01-01T00:00:00Z", "clockSpentSeconds": 0}
        await cluster.write_status(ref, status(rollout=rollout, step="one"), first.taskservice)
        second = await look(cluster, ref)
        assert second.taskservice["status"] == status(rollout=rollout, step="one")
        written = await cluster.write_status(ref, status(step="two"), second.taskservice)
        assert written["status"] == status(step="two")
        assert (await look(cluster, ref)).taskservice["status"] == status(step="two")

    async def test_a_status_decided_on_an_outdated_taskservice_is_refused(
        self, cluster: ClusterPort, hands: Hands
    ) -> None:
        ref = await hands.create_taskservice("outdated", {"image": "demo:v1"})
        before = await look(cluster, ref)
        await hands.edit((names.KIND, hands.namespace, "outdated"), {"spec": {"image": "demo:v2"}})
        with pytest.raises(Conflict):
            await cluster.write_status(ref, status(), before.taskservice)
        assert (await look(cluster, ref)).taskservice.get("status") == before.taskservice.get("status")

    async def test_sources_are_read_with_their_contents_or_known_to_be_absent(
        self, cluster: ClusterPort, hands: Hands
    ) -> None:
        metadata = {"name": "sources-here", "namespace": hands.namespace}
        await hands.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"one": "1"}})
        config = [
            {"name": "here", "configMapRef": {"name": "sources-here"}},
            {"name": "gone", "configMapRef": {"name": "sources-gone"}},
        ]
        ref = await hands.create_taskservice("sources", {"image": "demo:v1", "config": config})
        assert (await look(cluster, ref)).sources == {
            ("ConfigMap", "sources-here"): {"one": "1"},
            ("ConfigMap", "sources-gone"): None,
        }

    async def test_relisting_finds_every_taskservice(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("relisted", {"image": "demo:v1"})
        assert ref in await cluster.relist()

    async def test_an_event_never_fails_a_pass(self, cluster: ClusterPort, hands: Hands) -> None:
        ref = await hands.create_taskservice("events", {"image": "demo:v1"})
        snapshot = await look(cluster, ref)
        await cluster.emit_event(snapshot.taskservice, Note("Promoted", "x" * 5000))
        gone = {**snapshot.taskservice, "metadata": {**snapshot.taskservice["metadata"], "namespace": "no-such"}}
        await cluster.emit_event(gone, Note("Promoted", "nobody reads this"))
