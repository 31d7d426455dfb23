"""Every program, with the stack files as they are, is asked every rule; clusters in a cloud: tests/unit_clouds."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from infrakit.engine import Played
from infrakit.stack_files import STACKS, named, run, settings_of
from taskservice_infra.automation.projects import PROJECTS
from taskservice_infra.policy.catalogue import check, unused
from taskservice_infra.policy.model import Environment, Resource

HERE = [
    (project.name, stack)
    for project in PROJECTS
    for stack in STACKS
    if (project.name != "cluster" or stack == "local") and project.stack_file(stack).exists()
]


def resources(played: Played) -> list[Resource]:
    return [Resource(made.type, made.name, made.inputs) for made in played.made]


def told(found: Iterable[object]) -> str:
    return "\n".join(map(str, found))


@pytest.mark.parametrize(("project", "stack"), HERE)
def test_no_resource_of_a_stack_breaks_a_rule(project: str, stack: str) -> None:
    played = run(named(project), stack)
    assert played.made
    violations = check(resources(played), Environment.of_stack(stack))
    assert violations == [], told(violations)


@pytest.mark.parametrize(("project", "stack"), HERE)
def test_every_resource_of_a_stack_has_a_parent_that_is_a_component_but_components_and_providers(
    project: str, stack: str
) -> None:
    played = run(named(project), stack)
    components = {made.urn for made in played.made if made.type.startswith("taskservice:")}
    for made in played.made:
        if made.urn not in components and not made.type.startswith("pulumi:"):
            assert made.parent in components, made.name


@pytest.mark.parametrize("project", ["cluster", "secrets", "data", "observability", "apps"])
def test_a_project_has_a_file_for_every_stack(project: str) -> None:
    assert [stack for stack in STACKS if not named(project).stack_file(stack).exists()] == []


def test_every_exemption_is_needed_by_some_stack() -> None:
    everything = [each for project, stack in HERE for each in resources(run(named(project), stack))]
    assert list(unused(everything)) == []


def test_an_operator_that_was_built_here_is_refused_in_a_cloud() -> None:
    apps = named("apps")
    played = run(apps, "production", settings_of(apps, "production", published=False))
    assert "images-by-digest" in {found.rule for found in check(resources(played), Environment.PRODUCTION)}
