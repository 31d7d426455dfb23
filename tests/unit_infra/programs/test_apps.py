"""Project apps: definitions first, then what needs them."""

from __future__ import annotations

from typing import Any

from infrakit.engine import play
from infrakit.machine import FakeMachine
from taskservice_infra.programs.apps import program


def test_the_operator_comes_after_the_definitions_by_our_own_charts(stacks: dict[str, Any]) -> None:
    run = play(lambda: program(FakeMachine()), project="apps", config={}, stacks=stacks)
    operator = run.one("Chart", "taskservice-operator")
    assert operator.inputs["chart"].endswith("/charts/taskservice-operator")
    assert operator.inputs["namespace"] == "taskservice-system"
    assert operator.inputs["values"]["image"] == "docker.io/local/operator:made-here"
    assert run.one("Chart", "taskservice-crds").urn in operator.dependencies


def test_settings_of_the_operator_reach_its_chart(stacks: dict[str, Any]) -> None:
    config = {"apps:operator": {"image": "ghcr.io/me/operator:1", "replicas": 3, "settings": {"workers": 4}}}
    machine = FakeMachine()
    run = play(lambda: program(machine), project="apps", config=config, stacks=stacks)
    values = run.one("Chart", "taskservice-operator").inputs["values"]
    assert values == {"image": "ghcr.io/me/operator:1", "replicas": 3, "settings": {"workers": 4}}
    assert machine.asked == []
