"""The schema as people and the API server read it: described, bounded, in step with the parsing code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from taskservice_operator.api import status as wire
from taskservice_operator.api.crd import resource
from taskservice_operator.api.schema import apply_defaults, exactly_one, listing, text, whole
from taskservice_operator.api.schema_spec import spec
from taskservice_operator.api.schema_status import status
from taskservice_operator.api.spec import TEMPLATE_FIELDS, parse_spec

Schema = dict[str, Any]

MINIMAL = {"image": "example/app:1"}
RICH = {
    **MINIMAL,
    "autoscaling": {"maxReplicas": 5},
    "config": [{"name": "settings", "data": {"A": "1"}}],
    "secrets": [{"name": "keys", "secretRef": {"name": "keys"}}, {"name": "login", "vault": {"path": "shop/web"}}],
    "rollout": {
        "blueGreen": {"previewReplicas": 1},
        "analysis": {
            "prePromotion": [{"name": "smoke"}],
            "postPromotion": [{"name": "alive", "http": {"path": "/x"}}],
        },
    },
}


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every schema below this one, with the path at which a person would write the value."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


SPEC = list(walk(spec(), "spec"))
WHOLE = [(path, inner) for path, inner in walk(resource(), "") if not path.startswith(".metadata")]


@pytest.mark.parametrize(("path", "schema"), WHOLE, ids=[path or "." for path, _ in WHOLE])
def test_every_field_is_described_in_whole_sentences(path: str, schema: Schema) -> None:
    description = schema.get("description", "")
    assert len(description) > 5, f"{path} has no description"
    assert description.endswith((".", "…")), f"{path}: {description!r} does not end as a sentence"
    assert "  " not in description, f"{path}: {description!r} has a double space"


@pytest.mark.parametrize(("path", "schema"), SPEC, ids=[path for path, _ in SPEC])
def test_every_field_of_the_spec_is_bounded(path: str, schema: Schema) -> None:
    match schema.get("type"):
        case "string":
            assert "maxLength" in schema or "enum" in schema, f"{path} is an endless string"
        case "integer":
            assert {"minimum", "maximum"} <= set(schema), f"{path} has no bounds"
        case "array":
            assert "maxItems" in schema, f"{path} is an endless list"
        case "object" if "additionalProperties" in schema:
            assert "maxProperties" in schema, f"{path} is an endless map"
        case _:
            pass


def test_every_rule_says_what_to_do() -> None:
    rules = [(path, entry) for path, schema in WHOLE for entry in schema.get("x-kubernetes-validations", ())]
    assert len(rules) > 12
    for path, entry in rules:
        assert len(entry["message"].split()) >= 6, f"{path}: {entry['message']!r} explains too little"
        assert not entry["message"].endswith("."), "the API server puts messages in the middle of a line"


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("spec.autoscaling", "lower minReplicas or raise maxReplicas"),
        ("spec.config[]", "give exactly one of data and configMapRef"),
        ("spec.secrets[]", "give exactly one of secretRef and vault"),
        ("spec.probes.readiness", "a probe needs exactly one of httpGet, tcpSocket, exec and grpc"),
        ("spec.probes.liveness", "a probe needs exactly one of httpGet, tcpSocket, exec and grpc"),
        ("spec.config[].mountPath", "mountPath must be an absolute path"),
        ("spec", "an entry of config and an entry of secrets have the same name"),
        ("spec", "managementPort equals port"),
        ("spec", "an entry of ports has the number of port or managementPort"),
        ("spec.ports", "two entries of ports have the same number"),
        ("spec.ports[].name", "this name is taken"),
        ("spec.rollout.analysis.prePromotion[]", "this metric can never fail"),
    ],
)
def test_the_promised_rules_are_there(path: str, part: str) -> None:
    messages = [entry["message"] for entry in dict(SPEC)[path]["x-kubernetes-validations"]]
    assert any(part in message for message in messages)


@pytest.mark.parametrize("raw", [MINIMAL, RICH], ids=["minimal", "rich"])
def test_the_schemas_defaults_are_those_of_the_code(raw: Schema) -> None:
    bare, filled = parse_spec(raw), parse_spec(apply_defaults(spec(), raw))
    assert filled.port == bare.port == 8000
    assert replace(filled, template=bare.template) == bare


def test_the_defaults_put_nothing_into_the_pod_template_but_the_port() -> None:
    filled = parse_spec(apply_defaults(spec(), MINIMAL))
    assert filled.template == {**MINIMAL, "port": 8000}


def test_the_code_reads_every_pod_shaping_field_of_the_schema() -> None:
    others = {"replicas", "autoscaling", "config", "secrets", "rollout", "slo", "paused"}
    assert set(spec()["properties"]) == set(TEMPLATE_FIELDS) | others


def test_everything_the_operator_can_record_is_in_the_status_schema() -> None:
    """What is not in the schema is silently dropped on write, and would be written again for ever."""
    missing = list(_unknown(status(), wire.render_status(_full_status()), "status"))
    assert missing == []


def test_a_full_status_leaves_no_field_of_the_code_untried() -> None:
    full = _full_status()
    for name in (entry.name for entry in fields(wire.Status)):
        assert getattr(full, name), f"add {name} to the status that the schema is compared with"


@pytest.mark.parametrize(
    "name",
    [
        "observedGeneration",
        "conditions",
        "blockedOn",
        "replicas",
        "readyReplicas",
        "selector",
        "step",
        "colour",
        "url",
    ],
)
def test_the_status_schema_has_what_is_derived_at_each_pass(name: str) -> None:
    assert name in status()["properties"]


def test_conditions_are_a_map_by_type_so_that_writers_do_not_overwrite_each_other() -> None:
    conditions = status()["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["items"]["required"] == ["type", "status", "reason", "lastTransitionTime"]


def test_defaults_are_filled_inside_lists_and_nested_objects() -> None:
    filled = apply_defaults(spec(), RICH)
    assert filled["rollout"]["blueGreen"]["scaleDownDelaySeconds"] == 300
    assert filled["rollout"]["analysis"]["prePromotion"][0]["http"]["expectedStatuses"] == [200]
    assert filled["rollout"]["analysis"]["postPromotion"][0]["http"] == {
        "path": "/x",
        "expectedStatuses": [200],
        "requests": 5,
        "timeoutSeconds": 2,
    }


def test_builders_leave_out_what_is_not_said() -> None:
    assert text("A word.", longest=None) == {"type": "string", "description": "A word."}
    assert whole("A number.", least=None, most=None) == {
        "type": "integer",
        "description": "A number.",
        "format": "int32",
    }


def test_a_keyed_list_is_a_map_and_any_other_list_is_replaced_as_a_whole() -> None:
    entry = text("A word.")
    assert listing("Words.", entry, most=2, key="name")["x-kubernetes-list-type"] == "map"
    assert listing("Words.", entry, most=2)["x-kubernetes-list-type"] == "atomic"


def test_exactly_one_counts_the_given_fields() -> None:
    built = exactly_one("a", "b", message="give one of a and b")
    assert built["rule"] == "(has(self.a) ? 1 : 0) + (has(self.b) ? 1 : 0) == 1"


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if "additionalProperties" in schema:
                yield from _unknown(schema["additionalProperties"], inner, f"{path}.{name}")
            elif name in schema.get("properties", {}):
                yield from _unknown(schema["properties"][name], inner, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(value, list):
        for entry in value:
            yield from _unknown(schema["items"], entry, f"{path}[]")


def _full_status() -> wire.Status:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return wire.Status(
        phase=wire.Phase.PROVING,
        stable="a",
        active="b",
        candidate="b",
        previous="a",
        wanted="b",
        failure=wire.Failure("c", "Crashed", "It crashed.", at),
        rollout=wire.Rollout(at, at, 3, at, at, at, fast=True, rollback=True),
        canary=wire.CanaryState("plan", 5, 2, at, 50, 48),
        retiring=(wire.Retiring("a", at, 2),),
        size=wire.Size(2, 2),
        floor=wire.Floor("b", 2, at),
        analysis=(wire.AnalysisRun("postPromotion", "alive", "b", "Running", 1, 1, 1, 1, at, "Seen.", True),),
        history=(wire.HistoryEntry("a", "Promoted", "AllGood", at, at, "example/app:1"),),
        handled_verbs={"promote": "b@2026-01-02T03:04:05Z"},
        conditions=(
            {
                "type": "Ready",
                "status": "True",
                "reason": "AllGood",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "observedGeneration": 3,
            },
        ),
    )


@pytest.mark.parametrize("path", ["taskservices/shop/web", "a", "a.b/c-d/E_f"])
def test_paths_in_vault_are_allowed_as_they_are_written_there(path: str) -> None:
    assert re.fullmatch(dict(SPEC)["spec.secrets[].vault.path"]["pattern"], path)


@pytest.mark.parametrize("path", ["/a", "a/", "a//b", "../sys/raw", "a/../b", "a/.b", "a b", "a?x=1", "a%2fb", "a#b"])
def test_no_path_leads_out_of_its_mount_or_says_more_than_a_path(path: str) -> None:
    for field in ("path", "mount"):
        assert not re.search(dict(SPEC)[f"spec.secrets[].vault.{field}"]["pattern"], path)
