"""Jobs that save or bring back, out of the CronJob that saves on a schedule.  Pure.

Image, volumes and security are the CronJob's; only what the keeper is told differs, and with which account.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from taskservice_infra.components.data import mongodb_backup
from taskservice_infra.components.secrets import keeper, snapshots


@dataclass(frozen=True)
class Target:
    """What is saved: the CronJob that does it, and the folder in which its backups lie."""

    name: str
    namespace: str
    cron_job: str


TARGETS = {
    "mongodb": Target("mongodb", "data", mongodb_backup.NAME),
    "vault": Target("vault", "secrets", snapshots.NAME),
}


def backup_job(target: Target, cron_job: dict[str, Any], suffix: str) -> dict[str, Any]:
    """The Job that saves now, as the schedule would."""
    return _job(target, cron_job, f"now-{suffix}")


def list_job(target: Target, cron_job: dict[str, Any], suffix: str) -> dict[str, Any]:
    """The Job that tells which backups there are."""
    job = _job(target, cron_job, f"list-{suffix}")
    _container(job)["args"] = [target.name, "list", "--folder=/backups"]
    return job


def restore_job(target: Target, cron_job: dict[str, Any], suffix: str, backup: str, *, replace: bool) -> dict[str, Any]:
    """The Job that brings a backup back."""
    job = _job(target, cron_job, f"restore-{suffix}")
    container = _container(job)
    if target.name == "mongodb":
        container["args"] = ["mongodb", "restore", "--folder=/backups", backup, *(["--replace"] if replace else [])]
        # Operations are applied by an account that may do anything; the one that saves may not.
        for variable in container["env"]:
            variable["valueFrom"]["secretKeyRef"]["name"] = f"{mongodb_backup.NAME}-restore"
    else:
        endpoint = [word for word in container["args"] if word.startswith(("--address=", "--ca-file="))]
        keys = f"--keys={target.namespace}/{keeper.KEYS}"
        container["args"] = ["vault", "restore", *endpoint, keys, "--folder=/backups", backup]
        job["spec"]["template"]["spec"]["serviceAccountName"] = keeper.BOOTSTRAP
    return job


def _job(target: Target, cron_job: dict[str, Any], suffix: str) -> dict[str, Any]:
    spec = copy.deepcopy(cron_job["spec"]["jobTemplate"]["spec"])
    spec["backoffLimit"] = 0
    spec["ttlSecondsAfterFinished"] = 24 * 3600
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{target.cron_job}-{suffix}",
            "namespace": target.namespace,
            "labels": cron_job["metadata"].get("labels", {}),
        },
        "spec": spec,
    }


def _container(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]["containers"][0]
