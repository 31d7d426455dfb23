"""The backup of MongoDB, as its component declares it."""

from __future__ import annotations

from typing import Any

import pulumi

from infrakit.engine import Played, play
from taskservice_infra.components.data.mongodb_backup import MongoDbBackup, MongoDbBackupArgs
from taskservice_infra.config.data import MongoDbBackup as Settings


def played(**settings: Any) -> Played:
    def program() -> None:
        args = MongoDbBackupArgs(
            namespace="data",
            settings=Settings.model_validate(settings),
            image="docker.io/local/keeper:1",
            url=pulumi.Output.secret("mongodb://backup:word@m/"),
            restore_url=pulumi.Output.secret("mongodb://__system:word@m/"),
        )
        MongoDbBackup("mongodb-backup", args)

    return play(program, project="data")


def container(run: Played) -> dict[str, Any]:
    return run.one("CronJob").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def test_the_password_is_in_a_secret_and_nowhere_else() -> None:
    run = played()
    assert {made.name: made.secrets for made in run.all("Secret")} == {
        "mongodb-backup": {"stringData"},
        "mongodb-backup-restore": {"stringData"},
    }
    assert "word" not in str(run.one("CronJob").inputs)
    (variable,) = container(run)["env"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "mongodb-backup", "key": "KEEPER_MONGODB_URL"}


def test_schedule_and_retention_are_settings() -> None:
    run = played(schedule="@daily", keep=3, keepDays=2)
    assert run.one("CronJob").inputs["spec"]["schedule"] == "@daily"
    assert {"--keep=3", "--keep-days=2"} <= set(container(run)["args"])


def test_two_never_run_at_once_and_its_account_may_write_its_record_only() -> None:
    run = played()
    assert run.one("CronJob").inputs["spec"]["concurrencyPolicy"] == "Forbid"
    for rule in run.one("Role").inputs["rules"]:
        assert rule["resources"] == ["configmaps"]
