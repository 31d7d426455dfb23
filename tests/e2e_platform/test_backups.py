"""What the schedule has saved on the local stack comes back: every document, index and user's task as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from taskservice_demo.load import PASSWORD
from testkit.platform_run import APPS, TSVC, ask, connected, ok

SAVED = {"mongodb": ("data", "mongodb-backup"), "vault": ("secrets", "vault-snapshots")}
"""Namespace and name of the CronJob, and of the record that it writes."""
EVERY_MINUTE = "* * * * *"
LOOK = """
import hashlib, json, os, sys, bson, pymongo
client = pymongo.MongoClient(os.environ["KEEPER_MONGODB_URL"])
if "damage" in sys.argv:
    database = client["taskservice"]
    database["tasks"].delete_many({})
    database["tasks"].drop_indexes()
    database["users"].update_many({}, {"$set": {"email": "gone"}})
    database["later"].insert_one({"written": "after the backup"})
found = {}
for name in sorted(set(client.list_database_names()) - {"admin", "config", "local"}):
    for collection in sorted(client[name].list_collection_names()):
        digest = hashlib.sha256()
        for document in client[name][collection].find().sort("_id"):
            digest.update(bson.encode(document))
        indexes = sorted(client[name][collection].index_information())
        found[f"{name}.{collection}"] = [digest.hexdigest(), indexes]
print(json.dumps(found))
"""


@dataclass
class Story:
    """What was there when it was saved, what the damage left, what came back, and what people then see."""

    saved: dict[str, Any] = field(default_factory=dict)
    damaged: dict[str, Any] = field(default_factory=dict)
    restored: dict[str, Any] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    told: str = ""
    records: dict[str, dict[str, str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(completed: Any, gateway: str) -> Story:
    """Saved by the schedule, damaged, brought back; the services rest meanwhile, as docs/backups.md says."""
    assert gateway, "people come through it"
    platform, story = completed, Story()
    account = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
    with closing(connected(platform.kubectl)) as people:
        ok(people, "POST", "/v1/auth/register", account)
        token = ok(people, "POST", "/v1/auth/login", account).document["access_token"]
        mine = {"Authorization": f"Bearer {token}"}
        for number in range(5):
            story.tasks.append(ok(people, "POST", "/v1/tasks", {"title": f"keep me, {number}"}, mine).document)
    with resting(platform):
        story.saved = looked(platform)
        story.records = saved_by_the_schedule(platform)
        story.damaged = looked(platform, "damage")
        words = [sys.executable, "-m", "taskservice_infra", "restore", "mongodb", "latest", "--replace"]
        done = subprocess.run(words, env=platform.environment, capture_output=True, text=True, timeout=600)
        story.told = done.stdout + done.stderr
        assert done.returncode == 0, story.told
        story.restored = looked(platform)
    for task in story.tasks:
        answer = until(lambda task=task: served(platform, f"/v1/tasks/{task['id']}", mine))
        assert answer, "no task is served again"
        story.seen.append(answer.document)
    return story


@pytest.mark.parametrize("target", sorted(SAVED))
def test_the_schedule_saves_by_itself_and_says_so(story: Story, target: str) -> None:
    record = story.records[target]
    assert record["lastSuccess"]
    assert not record["lastFailure"]
    assert int(record["kept"]) >= 1
    assert int(record["sizeBytes"]) > 0


def test_the_damage_was_real(story: Story) -> None:
    changed = {name for name in story.saved if story.saved[name] != story.damaged.get(name)}
    assert {"taskservice.tasks", "taskservice.users"} <= changed
    assert "taskservice.later" in story.damaged


def test_after_the_restore_every_document_and_index_is_as_it_was_saved(story: Story) -> None:
    assert story.restored == story.saved, story.told


def test_people_see_their_tasks_again(story: Story) -> None:
    assert story.seen == story.tasks


@contextmanager
def resting(platform: Any) -> Iterator[None]:
    """No service of the sample runs: neither a pod nor, by the operator, another one in its place."""
    replicas = {each["metadata"]["name"]: each["spec"]["replicas"] for each in platform.items(TSVC, "-n", APPS)}
    platform.kubectl("scale", TSVC, "--all", "--replicas=0", "-n", APPS)
    try:
        gone = until(lambda: not platform.items("pods", "-n", APPS, "-l", "taskservice.dev/name"))
        assert gone, "pods of the services still run"
        yield
    finally:
        for name, number in replicas.items():
            platform.kubectl("scale", TSVC, name, f"--replicas={number}", "-n", APPS)


def saved_by_the_schedule(platform: Any) -> dict[str, dict[str, str]]:
    """The records of what CronJobs did by themselves, in the minute after now."""
    schedules, before = {}, {target: _record(platform, target).get("lastSuccess") for target in SAVED}
    for target, (namespace, name) in SAVED.items():
        (found,) = platform.items("cronjobs", "-n", namespace)
        assert found["metadata"]["name"] == name
        schedules[target] = found["spec"]["schedule"]
        _schedule(platform, target, EVERY_MINUTE)

    def newer(target: str) -> dict[str, str]:
        found = _record(platform, target)
        return found if found.get("lastSuccess") != before[target] else {}

    try:
        return {target: until(lambda target=target: newer(target), 240) for target in SAVED}
    finally:
        for target, schedule in schedules.items():
            _schedule(platform, target, schedule)


def _schedule(platform: Any, target: str, schedule: str) -> None:
    namespace, name = SAVED[target]
    patch = json.dumps({"spec": {"schedule": schedule}})
    platform.kubectl("patch", "cronjob", name, "-n", namespace, "--type=merge", "-p", patch)


def _record(platform: Any, target: str) -> dict[str, str]:
    """What the last backup wrote down; empty before the first."""
    namespace, name = SAVED[target]
    found = [each["data"] for each in platform.items("configmaps", "-n", namespace) if each["metadata"]["name"] == name]
    return found[0] if found else {}


def looked(platform: Any, *words: str) -> dict[str, Any]:
    """A digest and the indexes of each collection of the services, by a pod like that which restores."""
    (cron,) = platform.items("cronjobs", "-n", "data")
    spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    del container["args"]
    container["command"] = ["python", "-c", LOOK, *words]
    for variable in container["env"]:
        variable["valueFrom"]["secretKeyRef"]["name"] = "mongodb-backup-restore"
    # It has no use for the folder of backups, which one pod at a time may hold.
    spec["volumes"] = [each for each in spec["volumes"] if each["name"] == "tmp"]
    container["volumeMounts"] = [each for each in container["volumeMounts"] if each["name"] == "tmp"]
    name = f"look-{uuid.uuid4().hex[:8]}"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "data"}, "spec": spec}
    file = platform.settings / f"{name}.json"
    file.write_text(json.dumps(pod))
    platform.kubectl("apply", "-f", str(file))

    def ended() -> str:
        return {"Succeeded": "well", "Failed": "badly"}.get(
            json.loads(platform.kubectl("get", "pod", name, "-n", "data", "-o", "json"))["status"].get("phase"), ""
        )

    how = until(ended)
    said = platform.kubectl("logs", name, "-n", "data")
    platform.kubectl("delete", "pod", name, "-n", "data", "--wait=false")
    assert how == "well", said
    return json.loads(said.splitlines()[-1])


def served(platform: Any, path: str, headers: dict[str, str]) -> Any:
    """The answer once it is one."""
    try:
        with closing(connected(platform.kubectl)) as edge:
            answer = ask(edge, "GET", path, None, headers)
    except OSError:
        return None
    return answer if answer.status == 200 else None


def until(come: Callable[[], Any], seconds: float = 180) -> Any:
    """The first answer that is not empty, or the last one."""
    end = time.monotonic() + seconds
    while not (found := come()) and time.monotonic() < end:
        time.sleep(1)
    return found
