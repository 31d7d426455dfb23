"""The development Kafka, as its component declares it."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infrakit.engine import Played, play
from taskservice_infra.components.data.kafka_dev import CLUSTER_ID, KafkaDev, KafkaDevArgs
from taskservice_infra.config.data import KafkaDev as Settings


def played(namespace: str = "data", **settings: object) -> Played:
    def program() -> None:
        args = KafkaDevArgs(
            namespace=namespace,
            settings=Settings.model_validate({"provider": "dev", **settings}),
            image="docker.io/local/kafka:4",
        )
        pulumi.export("url", KafkaDev("kafka", args).url)

    return play(program, project="data")


def properties(run: Played) -> dict[str, str]:
    text = run.one("ConfigMap").inputs["data"]["server.properties"]
    return dict(line.split("=", 1) for line in text.splitlines())


def pod(run: Played) -> dict[str, Any]:
    return run.one("StatefulSet").inputs["spec"]["template"]["spec"]


def test_clients_are_sent_to_the_name_that_they_were_given() -> None:
    run = played(namespace="elsewhere")
    assert run.outputs["url"] == "kafka://kafka.elsewhere.svc.cluster.local:9092"
    assert properties(run)["advertised.listeners"] == "PLAINTEXT://kafka.elsewhere.svc.cluster.local:9092"


def test_its_controller_is_for_its_own_pod_only() -> None:
    run = played()
    assert [port["port"] for port in run.one("Service").inputs["spec"]["ports"]] == [9092]
    assert "CONTROLLER://127.0.0.1:9093" in properties(run)["listeners"]


def test_one_node_keeps_one_copy_of_everything() -> None:
    copies = {name: value for name, value in properties(played()).items() if "replication" in name or "isr" in name}
    assert len(copies) == 5
    assert set(copies.values()) == {"1"}


def test_a_new_pod_takes_the_data_of_the_pod_before_it_for_its_own() -> None:
    (formats,) = pod(played())["initContainers"]
    words = [*formats["command"], *formats["args"]]
    assert "--ignore-formatted" in words
    assert words[words.index("-t") + 1] == CLUSTER_ID
    assert len(CLUSTER_ID) == 22


@pytest.mark.parametrize("size", [None, "5Gi"])
def test_data_lives_in_a_volume_claim_where_a_size_is_asked_for_and_with_its_pod_else(size: str | None) -> None:
    run = played(storage={"size": size} if size else {})
    claims = run.one("StatefulSet").inputs["spec"].get("volumeClaimTemplates", [])
    assert [claim["metadata"]["name"] for claim in claims] == (["data"] if size else [])
    assert ({"name": "data", "emptyDir": {}} in pod(run)["volumes"]) is not bool(size)


def test_other_settings_restart_it() -> None:
    def checksum(run: Played) -> str:
        return run.one("StatefulSet").inputs["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]

    assert checksum(played()) == checksum(played())
    assert checksum(played()) != checksum(played(namespace="elsewhere"))
