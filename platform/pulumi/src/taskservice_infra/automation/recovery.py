"""The verbs that save and bring back: ``python -m taskservice_infra backup|backups|restore mongodb|vault``.

Each runs a Job in the cluster of a stack, shows what it says, and ends as it does.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from taskservice_infra.automation import recovery_jobs
from taskservice_infra.automation.checks import check, is_here
from taskservice_infra.automation.progress import say
from taskservice_infra.automation.projects import chosen
from taskservice_infra.automation.recovery_jobs import TARGETS, Target
from taskservice_infra.automation.workspace import LOCAL
from taskservice_infra.config.cluster import ExistingCluster
from taskservice_infra.errors import PlatformError
from taskservice_infra.kubeconfigs import Access, default_path, expect_context
from taskservice_infra.local_machine import LocalMachine

VERBS = ("backup", "backups", "restore")
START_SECONDS = 300


def main(argv: Sequence[str], machine: LocalMachine) -> int:
    """Run one verb; 0 when its Job ended well."""
    parser = argparse.ArgumentParser(prog="taskservice_infra", description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, about in zip(VERBS, ("save now", "list what was saved", "bring a backup back"), strict=True):
        command = verbs.add_parser(verb, help=about)
        command.add_argument("target", choices=sorted(TARGETS))
        command.add_argument("--stack", default=LOCAL)
        if verb == "restore":
            command.add_argument("name", help="of the backup, or latest")
            command.add_argument("--replace", action="store_true", help="although there is data, which is dropped")
    options = parser.parse_args(argv)
    try:
        recovery = Recovery(Kubectl.of_stack(options.stack, machine), TARGETS[options.target])
        if options.verb == "restore":
            return recovery.restore(options.name, replace=options.replace)
        return recovery.backup() if options.verb == "backup" else recovery.list()
    except PlatformError as problem:
        say(f"error: {problem}")
        return 1


class Kubectl:
    """kubectl on the cluster of a stack."""

    def __init__(self, program: str, access: Access) -> None:
        self._base = [program, f"--kubeconfig={access.kubeconfig}", f"--context={access.context}"]

    @classmethod
    def of_stack(cls, stack: str, machine: LocalMachine) -> Kubectl:
        """Raises PlatformError when the stack's cluster is not up, or is not the current one."""
        cluster = check(chosen(["cluster"]), stack)
        if is_here(cluster):
            access = machine.access()
            if access is None:
                raise PlatformError("The local cluster is not up: `make up`.")
            return cls(machine.program("kubectl"), access)
        if isinstance(cluster.kubernetes, ExistingCluster):
            access = expect_context(default_path(), cluster.kubernetes.context)
            return cls("kubectl", access)
        raise PlatformError(f"The cluster of stack {stack} is reached by its cloud's tools; see docs/backups.md.")

    def __call__(self, *words: str, input: str | None = None) -> str:
        """Run kubectl and return what it printed.  Raises PlatformError with its last line."""
        done = subprocess.run([*self._base, *words], input=input, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PlatformError((done.stderr.strip().splitlines() or ["kubectl failed"])[-1])
        return done.stdout

    def follow(self, *words: str) -> None:
        """Run kubectl with its output going to ours."""
        sys.stdout.flush()
        subprocess.run([*self._base, *words], check=False)


class Recovery:
    """The verbs on one target."""

    def __init__(self, kubectl: Kubectl, target: Target) -> None:
        self._kubectl = kubectl
        self._target = target
        self._suffix = secrets.token_hex(3)

    def backup(self) -> int:
        """Save now."""
        return self._run(recovery_jobs.backup_job(self._target, self._cron_job(), self._suffix))

    def list(self) -> int:
        """Tell what was saved, the newest first."""
        return self._run(recovery_jobs.list_job(self._target, self._cron_job(), self._suffix))

    def restore(self, name: str, *, replace: bool) -> int:
        """Bring a backup back."""
        job = recovery_jobs.restore_job(self._target, self._cron_job(), self._suffix, name, replace=replace)
        return self._run(job)

    def _cron_job(self) -> dict[str, Any]:
        target = self._target
        return json.loads(self._kubectl("-n", target.namespace, "get", "cronjob", target.cron_job, "-o", "json"))

    def _run(self, job: dict[str, Any]) -> int:
        name, namespace = job["metadata"]["name"], self._target.namespace
        self._kubectl("create", "-f", "-", input=json.dumps(job))
        say(f"  job {namespace}/{name}")
        self._wait(name, lambda status: bool(status.get("ready") or finished(status)))
        self._kubectl.follow("-n", namespace, "logs", f"job/{name}", "--follow")
        status = self._wait(name, finished)
        return 0 if status.get("succeeded") else 1

    def _wait(self, name: str, fulfilled: Any) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while True:
            status = json.loads(self._kubectl("-n", self._target.namespace, "get", "job", name, "-o", "json"))["status"]
            if fulfilled(status):
                return status
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"The job {name} did not start within {START_SECONDS} s:"
                    f" kubectl -n {self._target.namespace} describe job {name}"
                )
            time.sleep(0.5)


def finished(status: dict[str, Any]) -> bool:
    """Whether a Job has ended, well or not."""
    return any(each["type"] in {"Complete", "Failed"} and each["status"] == "True"
               for each in status.get("conditions", []))  # fmt: skip
