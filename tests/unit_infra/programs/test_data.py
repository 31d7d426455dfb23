"""Project data: providers as the stack file names them, addresses published as secrets."""

from __future__ import annotations

from typing import Any

import pytest

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.data import program


def played(stacks: dict[str, Any], seed: str, **settings: Any) -> Played:
    others = {"redis": {"provider": "dev"}, "rabbitmq": {"provider": "dev"}}
    chosen = {key: value for key, value in {**others, **settings}.items() if value is not None}
    config = {"data:seed": seed, **{f"data:{key}": value for key, value in chosen.items()}}
    return play(lambda: program(FakeMachine()), project="data", config=config, stacks=stacks)


def test_a_stack_of_development_has_a_replica_set_in_the_clusters_provider(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed, mongodb={"provider": "dev"})
    members = run.one("StatefulSet", "mongodb")
    assert members.inputs["spec"]["template"]["spec"]["containers"][0]["image"] == "docker.io/local/mongod:made-here"
    assert run.one("kubernetes").inputs["kubeconfig"] == "/state/kubeconfig"


def test_addresses_are_published_as_secrets(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed, mongodb={"provider": "dev"})
    assert {"mongodb_url", "mongodb_backup_url", "mongodb_vault_url", "redis_url", "bus_url"} <= run.secret_outputs


def test_two_runs_declare_the_same(stacks: dict[str, Any], seed: str) -> None:
    first, second = (played(stacks, seed, mongodb={"provider": "dev"}) for _ in range(2))
    assert {made.urn: made.inputs for made in first.made} == {made.urn: made.inputs for made in second.made}


def test_an_external_database_makes_nothing_and_hands_its_address_on(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed, mongodb={"provider": "external", "url": "mongodb+srv://a:b@c/d"})
    assert {made.name for made in run.all("StatefulSet")} == {"redis", "rabbitmq"}
    assert run.outputs["mongodb_url"] == "mongodb+srv://a:b@c/d"
    assert "mongodb_url" in run.secret_outputs


def test_kafka_takes_the_place_of_rabbitmq(stacks: dict[str, Any], seed: str) -> None:
    run = played(stacks, seed, mongodb={"provider": "dev"}, rabbitmq=None, kafka={"provider": "dev"})
    assert {made.name for made in run.all("StatefulSet")} == {"mongodb", "redis", "kafka"}
    assert run.outputs["bus_url"] == "kafka://kafka.data.svc.cluster.local:9092"


def test_settings_that_cannot_be_are_refused_before_any_resource(stacks: dict[str, Any], seed: str) -> None:
    with pytest.raises(BadConfiguration, match=r"Pulumi.test.yaml: data:mongodb.replicas"):
        played(stacks, seed, mongodb={"provider": "dev", "replicas": 2})
