"""Databases and brokers that others' operators run: what is asked of them, and that credentials stay secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.engine import Played, play
from infrakit.machine import FakeMachine
from taskservice_infra.errors import BadConfiguration
from taskservice_infra.programs.data import program
from taskservice_infra.versions import MONGODB_COMMUNITY, PERCONA_MONGODB, REDIS_OPERATOR, STRIMZI, VALKEY, ChartPin


@pytest.fixture
def played(stacks: dict[str, Any], seed: str):
    """A program of project data with these settings."""

    def run(**settings: Any) -> Played:
        given = {"mongodb": {"provider": "dev"}, "redis": {"provider": "dev"}, "rabbitmq": {"provider": "dev"}}
        given = {key: value for key, value in {**given, **settings}.items() if value is not None}
        config = {"data:seed": seed, **{f"data:{key}": value for key, value in given.items()}}
        return play(lambda: program(FakeMachine()), project="data", config=config, stacks=stacks)

    return run


def plain(run: Played) -> str:
    return json.dumps([made.inputs for made in run.made if not made.secrets])


@pytest.mark.parametrize(
    ("settings", "pin"),
    [
        ({"mongodb": {"provider": "percona"}}, PERCONA_MONGODB),
        ({"mongodb": {"provider": "community"}}, MONGODB_COMMUNITY),
        ({"redis": {"provider": "chart"}}, VALKEY),
        ({"redis": {"provider": "sentinel"}}, REDIS_OPERATOR),
        ({"rabbitmq": None, "kafka": {"provider": "operator"}}, STRIMZI),
    ],
)
def test_a_chart_of_others_is_installed_at_the_version_that_is_pinned(
    played, settings: dict[str, Any], pin: ChartPin
) -> None:
    release = played(**settings).one("Release")
    assert (release.inputs["chart"], release.inputs["version"]) == (pin.chart, pin.version)
    assert release.inputs["namespace"] == "data"


def test_percona_spreads_members_over_nodes_and_encrypts_the_wire(played) -> None:
    run = played(mongodb={"provider": "percona", "replicas": 5})
    database = run.one("PerconaServerMongoDB")
    (replica_set,) = database.inputs["spec"]["replsets"]
    assert (replica_set["size"], replica_set["affinity"]) == (5, {"antiAffinityTopologyKey": "kubernetes.io/hostname"})
    assert database.inputs["spec"]["tls"] == {"mode": "requireTLS"}
    assert run.one("Release").urn in database.dependencies
    assert "backup" not in database.inputs["spec"]
    assert run.outputs["mongodb_url"].startswith("mongodb+srv://taskservice:")
    assert run.outputs["mongodb_url"].split(":")[2].split("@")[0] not in plain(run)


def test_percona_backs_up_where_the_stack_says(played) -> None:
    backup = {"bucket": "b", "region": "eu-west-1", "secret": "s3", "keep": 7}
    spec = played(mongodb={"provider": "percona", "backup": backup}).one("PerconaServerMongoDB").inputs["spec"]
    assert spec["backup"]["storages"]["main"]["s3"]["bucket"] == "b"
    assert spec["backup"]["pitr"]["enabled"] is True
    assert spec["backup"]["tasks"][0]["retention"]["count"] == 7


def test_the_community_operator_gets_a_user_whose_password_is_a_secret(played) -> None:
    run = played(mongodb={"provider": "community"})
    (user,) = run.one("MongoDBCommunity").inputs["spec"]["users"]
    secret = run.one("Secret", user["passwordSecretRef"]["name"])
    assert secret.secrets == {"stringData"}


def test_sentinels_agree_by_majority(played) -> None:
    run = played(redis={"provider": "sentinel", "sentinels": 5})
    assert run.one("RedisSentinel", "redis-sentinel").inputs["spec"]["redisSentinelConfig"]["quorum"] == "3"
    assert run.outputs["redis_url"].endswith("@redis-master.data.svc.cluster.local:6379/0")


def test_valkey_reads_its_password_from_a_secret(played) -> None:
    run = played(redis={"provider": "chart", "replicas": 3})
    values = run.one("Release").inputs["values"]
    assert values["replica"] == {"enabled": True, "replicas": 2}
    assert values["auth"]["usersExistingSecret"] == "redis-admin"
    assert run.outputs["redis_url"].split(":")[2].split("@")[0] not in plain(run)


def test_rabbitmqs_operator_takes_our_user_and_quorum_queues(played) -> None:
    run = played(rabbitmq={"provider": "operator"})
    spec = run.one("RabbitmqCluster").inputs["spec"]
    assert spec["replicas"] == 3
    assert spec["secretBackend"] == {"externalSecret": {"name": "rabbitmq-admin"}}
    assert "default_queue_type = quorum" in spec["rabbitmq"]["additionalConfig"]
    assert run.one("Secret", "rabbitmq-default-user").secrets == {"stringData"}


def test_kafkas_topics_survive_the_loss_of_a_node(played) -> None:
    run = played(rabbitmq=None, kafka={"provider": "operator"})
    config = run.one("Kafka").inputs["spec"]["kafka"]["config"]
    assert (config["default.replication.factor"], config["min.insync.replicas"]) == (3, 2)
    assert run.one("KafkaNodePool").inputs["spec"]["roles"] == ["controller", "broker"]
    assert run.outputs["bus_url"] == "kafka://kafka-kafka-bootstrap.data.svc.cluster.local:9092"


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("mongodb.replicas", {"mongodb": {"provider": "percona", "replicas": 2}}),
        ("redis.sentinels", {"redis": {"provider": "sentinel", "sentinels": 2}}),
        ("rabbitmq.replicas", {"rabbitmq": {"provider": "operator", "replicas": 1}}),
        ("kafka.replicas", {"rabbitmq": None, "kafka": {"provider": "operator", "replicas": 2}}),
    ],
)
def test_too_few_for_high_availability_are_refused_with_the_key(played, key: str, settings: dict[str, Any]) -> None:
    with pytest.raises(BadConfiguration, match=rf"Pulumi\.test\.yaml: data:{key}: .* high availability"):
        played(**settings)
