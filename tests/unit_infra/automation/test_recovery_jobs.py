"""Jobs out of CronJobs, as the components declare these."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrakit.engine import play
from infrakit.machine import FakeMachine
from taskservice_infra.automation.recovery_jobs import TARGETS, backup_job, list_job, restore_job
from taskservice_infra.programs import data, secrets


@pytest.fixture
def mongodb(stacks: dict[str, Any], seed: str) -> dict[str, Any]:
    config = {f"data:{name}": {"provider": "dev"} for name in ("mongodb", "redis", "rabbitmq")}
    run = play(lambda: data.program(FakeMachine()), project="data", config={"data:seed": seed, **config}, stacks=stacks)
    return run.one("CronJob", "mongodb-backup").inputs


@pytest.fixture
def vault(stacks: dict[str, Any]) -> dict[str, Any]:
    config = {"secrets:vault": {"provider": "dev"}}
    run = play(lambda: secrets.program(FakeMachine()), project="secrets", config=config, stacks=stacks)
    return run.one("CronJob", "vault-snapshots").inputs


def container(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]["containers"][0]


def test_saving_now_is_what_the_schedule_does(mongodb: dict[str, Any]) -> None:
    job = backup_job(TARGETS["mongodb"], mongodb, "abc")
    assert job["metadata"] | {"labels": {}} == {"name": "mongodb-backup-now-abc", "namespace": "data", "labels": {}}
    assert job["spec"]["template"] == mongodb["spec"]["jobTemplate"]["spec"]["template"]


def test_a_restore_of_mongodb_uses_the_account_that_may_do_it_and_replaces_only_when_told(
    mongodb: dict[str, Any],
) -> None:
    before = json.dumps(mongodb)
    job = restore_job(TARGETS["mongodb"], mongodb, "abc", "latest", replace=False)
    assert container(job)["args"] == ["mongodb", "restore", "--folder=/backups", "latest"]
    assert container(job)["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "mongodb-backup-restore"
    assert container(restore_job(TARGETS["mongodb"], mongodb, "abc", "x", replace=True))["args"][-1] == "--replace"
    assert job["spec"]["backoffLimit"] == 0
    assert json.dumps(mongodb) == before


def test_a_restore_of_vault_runs_as_the_bootstrap_which_holds_the_keys(vault: dict[str, Any]) -> None:
    job = restore_job(TARGETS["vault"], vault, "abc", "latest", replace=False)
    assert container(job)["args"] == [
        "vault",
        "restore",
        "--address=http://vault.secrets.svc.cluster.local:8200",
        "--keys=secrets/vault-keys",
        "--folder=/backups",
        "latest",
    ]
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "vault-bootstrap"


def test_what_there_is_can_be_listed(vault: dict[str, Any], mongodb: dict[str, Any]) -> None:
    for name, cron_job in {"vault": vault, "mongodb": mongodb}.items():
        assert container(list_job(TARGETS[name], cron_job, "abc"))["args"] == [name, "list", "--folder=/backups"]
