"""The development RabbitMQ, as its component declares it."""

from __future__ import annotations

import pulumi

from infrakit.engine import Played, play
from taskservice_infra.components.data.rabbitmq_dev import RabbitMqDev, RabbitMqDevArgs
from taskservice_infra.config.data import RabbitMqDev as Settings


def played(**settings: object) -> Played:
    def program() -> None:
        args = RabbitMqDevArgs(
            namespace="data",
            settings=Settings.model_validate({"provider": "dev", **settings}),
            image="docker.io/local/rabbitmq:3.10",
            password=pulumi.Output.secret("word"),
        )
        pulumi.export("url", RabbitMqDev("rabbitmq", args).url)

    return play(program, project="data")


def test_its_address_is_secret_and_names_its_service() -> None:
    run = played()
    assert run.secret_outputs == {"url"}
    assert run.outputs["url"] == "amqp://taskservice:word@rabbitmq.data.svc.cluster.local:5672/"


def test_it_serves_amqp_and_metrics_and_nothing_else() -> None:
    run = played()
    ports = {port["name"]: port["port"] for port in run.one("Service").inputs["spec"]["ports"]}
    assert ports == {"amqp": 5672, "metrics": 15692}
    assert run.one("ConfigMap").inputs["data"]["enabled_plugins"] == "[rabbitmq_prometheus].\n"


def test_other_settings_restart_it() -> None:
    def checksum(run: Played) -> str:
        return run.one("StatefulSet").inputs["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]

    assert checksum(played()) == checksum(played())
    assert checksum(played()) != checksum(played(maxMemory="128MB"))
