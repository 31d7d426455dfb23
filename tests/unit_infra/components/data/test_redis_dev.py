"""The development Redis, as its component declares it."""

from __future__ import annotations

import pulumi

from infrakit.engine import Played, play
from taskservice_infra.components.data.redis_dev import RedisDev, RedisDevArgs
from taskservice_infra.config.data import RedisDev as Settings


def played(**settings: object) -> Played:
    def program() -> None:
        args = RedisDevArgs(
            namespace="data",
            settings=Settings.model_validate({"provider": "dev", **settings}),
            image="docker.io/local/redis:7.0",
            password=pulumi.Output.secret("word"),
        )
        pulumi.export("url", RedisDev("redis", args).url)

    return play(program, project="data")


def test_its_password_comes_from_a_secret_and_its_address_is_one() -> None:
    run = played()
    assert run.one("Secret").secrets == {"stringData"}
    assert run.secret_outputs == {"url"}
    assert run.outputs["url"] == "redis://:word@redis.data.svc.cluster.local:6379/0"
    (container,) = run.one("StatefulSet").inputs["spec"]["template"]["spec"]["containers"]
    assert "word" not in str(container["args"])


def test_it_is_bounded_and_keeps_nothing() -> None:
    (container,) = played(maxMemory="32mb").one("StatefulSet").inputs["spec"]["template"]["spec"]["containers"]
    words = container["args"]
    assert words[words.index("--maxmemory") + 1] == "32mb"
    assert words[words.index("--save") + 1] == ""


def test_valkey_takes_its_place_by_another_program() -> None:
    (container,) = played(program="valkey-server").one("StatefulSet").inputs["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["valkey-server"]
