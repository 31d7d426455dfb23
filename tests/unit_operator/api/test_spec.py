"""Reading a spec: its defaults, what belongs to the revision, and what is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_operator.api.spec import (
    CANARY_WITH_AUTOSCALING,
    CANARY_WITHOUT_STEPS,
    FIRST_STEP,
    STEP_KINDS,
    InvalidSpec,
    RolloutSpec,
    Spec,
    Step,
    parse_spec,
)
from testkit.builders import a_taskservice

NOT_OF_THE_REVISION = {"replicas": 7, "paused": True, "rollout": {"progressDeadlineSeconds": 5}}


def test_the_least_spec_has_every_default() -> None:
    assert parse_spec({"image": "app:1"}) == Spec(template={"image": "app:1"}, replicas=2, rollout=RolloutSpec())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "spec.image is missing: set it to the container image to run"),
        (
            {"image": "a", "autoscaling": {"minReplicas": 3, "maxReplicas": 2}},
            "spec.autoscaling.minReplicas (3) is more than maxReplicas (2): lower minReplicas or raise maxReplicas",
        ),
        (
            {"image": "a", "rollout": {"strategy": "Rolling"}},
            "spec.rollout.strategy 'Rolling' is not known: use BlueGreen or Canary",
        ),
        ({"image": "a", "rollout": {"strategy": "Canary"}}, CANARY_WITHOUT_STEPS),
        ({"image": "a", "rollout": {"strategy": "Canary", "canary": {"steps": [{"pause": {}}]}}}, FIRST_STEP),
        (
            {"image": "a", "rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 5, "pause": {}}]}}},
            STEP_KINDS,
        ),
        (
            {"image": "a", "autoscaling": {"maxReplicas": 2}, "rollout": {"strategy": "Canary"}},
            CANARY_WITH_AUTOSCALING,
        ),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(raw)
    assert str(refused.value) == said


def test_steps_are_weights_and_pauses_with_or_without_an_end() -> None:
    canary = parse_spec(a_taskservice().by_steps(10, "30s", 50, None).spec).rollout.canary
    assert canary.steps == (Step(weight=10), Step(seconds=30), Step(weight=50), Step())
    assert [step.is_pause for step in canary.steps] == [False, True, False, True]
    assert (canary.max_surge, canary.max_unavailable) == ("25%", "25%")


def test_cpu_is_the_default_metric_only_when_there_is_no_other() -> None:
    by_default = parse_spec({"image": "a", "autoscaling": {"maxReplicas": 2}}).autoscaling
    other = parse_spec({"image": "a", "autoscaling": {"maxReplicas": 2, "metrics": [{"type": "Pods"}]}}).autoscaling
    assert by_default is not None
    assert other is not None
    assert (by_default.target_cpu, other.target_cpu) == (80, None)


@pytest.mark.parametrize("field", NOT_OF_THE_REVISION)
def test_what_does_not_shape_pods_makes_no_new_revision(field: str) -> None:
    plain = a_taskservice()
    assert plain.having(**{field: NOT_OF_THE_REVISION[field]}).revision() == plain.revision()


@pytest.mark.parametrize(
    "change",
    [
        {"image": "app:2"},
        {"env": [{"name": "A", "value": "1"}]},
        {"port": 80},
        {"ports": [{"name": "grpc", "port": 9091}]},
        {"podTemplate": {"spec": {"nodeSelector": {"a": "b"}}}},
        {"autoscaling": {"maxReplicas": 3}},
        {"config": [{"name": "settings", "data": {"A": "1"}}]},
    ],
)
def test_what_shapes_pods_makes_a_new_revision(change: dict[str, Any]) -> None:
    plain = a_taskservice()
    assert plain.having(**change).revision() != plain.revision()


def test_contents_of_a_source_are_part_of_the_revision_but_its_name_is_not() -> None:
    one, other = a_taskservice().config_from("one"), a_taskservice().config_from("other")
    sources = {("ConfigMap", "one"): {"A": "1"}, ("ConfigMap", "other"): {"A": "1"}}
    assert one.revision(sources) == other.revision(sources) == a_taskservice().config(A="1").revision()
    assert one.revision({("ConfigMap", "one"): {"A": "2"}}) != one.revision(sources)


@given(st.dictionaries(st.sampled_from(["image", "port", "args", "replicas"]), st.integers(1, 9), min_size=1))
def test_the_order_of_fields_does_not_matter(spec: dict[str, int]) -> None:
    forward = a_taskservice().having(**{**spec, "image": "app:1"})
    backward = a_taskservice().having(**dict(reversed({**spec, "image": "app:1"}.items())))
    assert forward.revision() == backward.revision()
