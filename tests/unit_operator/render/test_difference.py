"""Whether an observed object says what we would apply: no write for defaults, a write for every real change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_operator.render.deployment import build_deployment
from taskservice_operator.render.difference import APPLIED, says, stamped
from taskservice_operator.render.identity import Owner
from testkit.builders import a_taskservice

OWNER = Owner("web", "default", "uid-web")
RECORD = a_taskservice().having(
    resources={"limits": {"cpu": "0.5", "memory": "1Gi"}}, env=[{"name": "A", "value": "1"}]
)
DEPLOYMENT = build_deployment(OWNER, RECORD.record(), 2)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_everything_says_itself(value: Any) -> None:
    assert says(value, value)


@given(st.dictionaries(st.text(min_size=1, max_size=3), VALUES, max_size=4), VALUES)
def test_additions_of_others_are_no_difference(desired: dict[str, Any], extra: Any) -> None:
    assert says({**desired, "status": extra}, desired)


@pytest.mark.parametrize(
    ("field", "observed", "desired"),
    [
        ("resources", {"limits": {"cpu": "500m"}}, {"limits": {"cpu": "0.5"}}),
        ("resources", {"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1024Mi"}}),
        ("resources", {"limits": {"cpu": "2"}}, {"limits": {"cpu": 2}}),
        ("resources", {"limits": {"memory": "1M"}}, {"limits": {"memory": "1e6"}}),
        ("spec", {}, {"emptyDir": {}}),
        ("spec", {}, {"args": []}),
        ("spec", {}, {"hostNetwork": False}),
        ("spec", {"env": [{"name": "THEIRS"}, {"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}),
        ("spec", {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]}, {"ports": [{"port": 80}]}),
        ("spec", {"volumeMounts": [{"name": "b", "mountPath": "/b"}]}, {"volumeMounts": []}),
    ],
)
def test_same_meaning(field: str, observed: Any, desired: Any) -> None:
    assert says({field: observed}, {field: desired})


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        ({"resources": {"limits": {"cpu": "500m"}}}, {"resources": {"limits": {"cpu": "600m"}}}),
        ({"env": [{"name": "A", "value": "0.5"}]}, {"env": [{"name": "A", "value": "500m"}]}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}),
        ({"env": [{"name": "B", "value": "1"}]}, {"env": [{"name": "A", "value": "1"}]}),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}),
        ({"args": ["a", "b"]}, {"args": ["a"]}),
        ({"args": ["a"]}, {"args": []}),
        ({"selector": {"a": "1", "b": "2"}}, {"selector": {"a": "1"}}),
        ({"selector": {"matchLabels": {"a": "1", "b": "2"}}}, {"selector": {"matchLabels": {"a": "1"}}}),
        ({"automount": True}, {"automount": False}),
        ({}, {"replicas": 2}),
        ({"replicas": 3}, {"replicas": 0}),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}),
        ("text", {}),
        (None, {"a": 1}),
    ],
)
def test_another_meaning(observed: Any, desired: Any) -> None:
    assert not says(observed, desired)


def test_our_deployment_with_the_servers_defaults_says_what_we_said() -> None:
    observed = copy.deepcopy(stamped(DEPLOYMENT))
    observed["metadata"] |= {"uid": "x", "generation": 3}
    observed["spec"] |= {"strategy": {"type": "RollingUpdate"}, "progressDeadlineSeconds": 600}
    pod = observed["spec"]["template"]["spec"]
    pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
    container = pod["containers"][0]
    container |= {"terminationMessagePath": "/dev/termination-log"}
    container["resources"] = {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    assert says(observed, stamped(DEPLOYMENT))


@pytest.mark.parametrize(
    "path",
    [("replicas",), ("template", "spec", "enableServiceLinks"), ("template", "spec", "terminationGracePeriodSeconds")],
)
def test_an_edit_by_hand_is_seen(path: tuple[str, ...]) -> None:
    observed = copy.deepcopy(stamped(DEPLOYMENT))
    inner: Any = observed["spec"]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = 7
    assert not says(observed, stamped(DEPLOYMENT))


def test_the_stamp_tells_what_was_applied_without_the_replicas() -> None:
    def stamp(replicas: int | None, record: Any = RECORD) -> str:
        return stamped(build_deployment(OWNER, record.record(), replicas))["metadata"]["annotations"][APPLIED]

    assert stamp(2) == stamp(5) == stamp(None)
    assert stamp(2) != stamp(2, RECORD.image("app:2"))


def test_stamping_changes_nothing_it_was_given() -> None:
    before = copy.deepcopy(DEPLOYMENT)
    stamped(DEPLOYMENT)
    assert before == DEPLOYMENT
