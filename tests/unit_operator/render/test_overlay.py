"""The overlay that ``spec.podTemplate`` lays over the pod we make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice_operator.render.overlay import overlay

PLAIN = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.lists(st.integers()), max_size=4)


@given(PLAIN)
def test_an_empty_overlay_changes_nothing(base: dict[str, Any]) -> None:
    assert overlay(base, {}) == base


@given(PLAIN, PLAIN)
def test_laying_it_twice_changes_nothing_more(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = overlay(base, patch)
    assert overlay(once, patch) == once


@pytest.mark.parametrize(
    ("base", "patch", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
        ),
        (
            {"containers": [{"name": "app", "image": "a", "env": [{"name": "A", "value": "1"}]}]},
            {"containers": [{"name": "app", "tty": True}, {"name": "side", "image": "s"}]},
            {
                "containers": [
                    {"name": "app", "image": "a", "env": [{"name": "A", "value": "1"}], "tty": True},
                    {"name": "side", "image": "s"},
                ]
            },
        ),
        (
            {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
            {"volumeMounts": [{"name": "tmp", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/b"}]},
            {
                "volumeMounts": [
                    {"name": "tmp", "mountPath": "/tmp"},
                    {"name": "tmp", "mountPath": "/a"},
                    {"name": "tmp", "mountPath": "/b"},
                ]
            },
        ),
        (
            {"ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}]},
            {"ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"}]},
            {
                "ports": [
                    {"containerPort": 80, "name": "http", "protocol": "TCP"},
                    {"containerPort": 53, "name": "dns", "protocol": "UDP"},
                ]
            },
        ),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
    ],
)
def test_overlay(base: Any, patch: Any, expected: Any) -> None:
    assert overlay(base, patch) == expected
