"""Project cluster of the stacks in the clouds, with the stack files and examples as they are here, asked all rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infrakit import clouds
from infrakit.stack_files import named, run, settings_of
from taskservice_infra.config import settings as files
from taskservice_infra.policy.catalogue import check
from taskservice_infra.policy.model import Environment, Resource

CLUSTER = named("cluster")
EXAMPLES = CLUSTER.folder.parents[1] / "examples"
FILES = [("eks", stack, CLUSTER.stack_file(stack)) for stack in ("staging", "production")] + [
    (cloud, stack, EXAMPLES / cloud / f"Pulumi.{stack}.yaml")
    for cloud in ("gke", "aks")
    for stack in ("staging", "production")
]


def declared(file: Path, stack: str, **changes: Any) -> Any:
    values = files.read("cluster", file)
    values["kubernetes"].update(changes)
    return run(CLUSTER, stack, values, calls=clouds.CALLS, computed=clouds.COMPUTED)


@pytest.mark.parametrize(("cloud", "stack", "file"), FILES, ids=[f"{cloud}-{stack}" for cloud, stack, _ in FILES])
class TestStack:
    def test_no_resource_breaks_a_rule(self, cloud: str, stack: str, file: Path) -> None:
        played = declared(file, stack)
        assert len(played.made) > 20
        resources = [Resource(made.type, made.name, made.inputs) for made in played.made]
        violations = check(resources, Environment.of_stack(stack))
        assert violations == [], "\n".join(map(str, violations))

    def test_every_resource_belongs_to_a_component_and_has_a_name_of_the_cluster(
        self, cloud: str, stack: str, file: Path
    ) -> None:
        played = declared(file, stack)
        components = {made.urn for made in played.made if made.type.startswith("taskservice:")}
        name = f"taskservice-{stack}"
        for made in played.made:
            if made.urn in components or made.type in {"pulumi:providers:kubernetes", "kubernetes:core/v1:Namespace"}:
                continue
            assert made.parent in components, made.name
            assert made.name.startswith((name, name[:14])), made.name

    def test_networks_of_the_two_stacks_are_apart(self, cloud: str, stack: str, file: Path) -> None:
        other = file.with_name("Pulumi.production.yaml" if stack == "staging" else "Pulumi.staging.yaml")
        mine, theirs = (
            files.from_file(CLUSTER.settings, "cluster", each).kubernetes.addresses for each in (file, other)
        )
        first = next(value for value in vars(mine).values())
        second = next(value for value in vars(theirs).values())
        assert not first.overlaps(second)


def test_a_cluster_that_is_open_to_all_would_be_refused() -> None:
    played = declared(CLUSTER.stack_file("production"), "production")
    (cluster,) = (made for made in played.made if made.type == "aws:eks/cluster:Cluster")
    opened = {**cluster.inputs, "vpcConfig": {**cluster.inputs["vpcConfig"], "endpointPublicAccess": True}}
    opened["vpcConfig"].pop("publicAccessCidrs", None)
    found = check([Resource(cluster.type, cluster.name, opened)], Environment.PRODUCTION)
    assert [each.rule for each in found] == ["api-endpoint-restricted"]


def test_the_local_stack_needs_no_cloud() -> None:
    assert settings_of(CLUSTER, "local")["kubernetes"] == {"provider": "local"}
