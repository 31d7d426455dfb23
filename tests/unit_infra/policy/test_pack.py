"""The pack as Pulumi's policy engine uses it: a process that is started, and asked over gRPC."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from infrakit.subjects import a_deployment, spoilt
from taskservice_infra.policy.catalogue import RULES
from taskservice_infra.policy.model import Resource

PACK = Path(__file__).resolve().parents[3] / "platform" / "pulumi" / "policy-pack"
IMAGE = "spec.template.spec.containers.0.image"


@pytest.fixture(scope="module")
def engine() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """What the engine does: start the pack's folder, read the port that it prints, connect."""
    environment = {"PATH": os.environ["PATH"]}
    pack = subprocess.Popen([sys.executable, "-u", str(PACK)], stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert pack.stdout is not None
        port = pack.stdout.readline().strip()
        assert port.isdigit(), "the pack ended before it listened"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        pack.kill()
        pack.wait()
        if pack.stdout is not None:
            pack.stdout.close()


def asked(engine: Any, resource: Resource, stack: str) -> list[Any]:
    properties = struct_pb2.Struct()
    properties.update(dict(resource.properties))
    request = analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        properties=properties,
        urn=f"urn:pulumi:{stack}::apps::{resource.type}::{resource.name}",
        name=resource.name,
    )
    answer = engine.Analyze(request)
    return list(answer.diagnostics)


def test_it_tells_every_rule_as_mandatory(engine: Any) -> None:
    info = engine.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == "taskservice"
    assert [policy.name for policy in info.policies] == [rule.name for rule in RULES]
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}


def test_a_resource_as_it_should_be_is_let_pass(engine: Any) -> None:
    assert asked(engine, a_deployment(), "production") == []


def test_a_resource_that_breaks_a_rule_is_refused_where_the_rule_is_in_force(engine: Any) -> None:
    by_tag = spoilt(a_deployment(), IMAGE, "web:1")
    (found,) = asked(engine, by_tag, "production")
    assert found.policyName == "images-by-digest"
    assert "container web runs web:1" in found.message
    assert asked(engine, by_tag, "local") == []


def test_what_is_not_known_before_the_update_is_not_refused(engine: Any) -> None:
    assert asked(engine, spoilt(a_deployment(), IMAGE, UNKNOWN_STRING_VALUE), "production") == []


def test_every_rule_is_asked_of_one_resource(engine: Any) -> None:
    bad = spoilt(spoilt(a_deployment(), IMAGE, "web:1"), "spec.template.spec.hostNetwork", True)
    assert {found.policyName for found in asked(engine, bad, "staging")} == {"images-by-digest", "pods-restricted"}
