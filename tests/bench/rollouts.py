"""What one blue/green rollout costs the API server and the operator, against the number of objects it must touch.

The floor is what anybody would have to send: one request for each owned object that the rollout created, changed or
deleted.  It is measured in the same run: the objects are taken from the cluster, and ``kubectl apply`` sends them
under other names (a dry run on the server); its write requests and its CPU time are the floor.

Writes are counted by the leading operator, reads by the API server.  Both serve everybody: a rollout during which
another TaskService changed or the leader moved is not counted but repeated.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from figures import Counters, median, ratio, read_counters, table, total_writes

from taskservice_demo.stage import is_ready
from taskservice_local.commands import wait_for
from taskservice_local.errors import LocalError
from taskservice_local.progress import say, step
from testkit.live import TSVC, Live, an_echo

ROUNDS = 3
REPEATS = 6
"""How often disturbed rollouts are repeated in all, and a disturbed rest."""
IDLE_SECONDS = 15.0
SETTLED_SECONDS = 4.0
"""Without a write for so long, a rollout is over; longer than any pause within one (the old side stays for 1 s)."""
OUR_READS = 1
"""``kubectl patch`` reads the TaskService that it changes."""
OWNED = "deployments,services,horizontalpodautoscalers,configmaps,secrets,controllerrevisions,poddisruptionbudgets"
BOOKKEEPING = {"TaskService": "status", "Event": "events"}
_SENT = re.compile(r'"Response" verb="(?:PATCH|POST|PUT)"')


@dataclass(frozen=True)
class Case:
    """One TaskService; ``rich`` adds three sources of configuration and an HPA (of fixed size, so that it rests)."""

    replicas: int
    rich: bool

    @property
    def name(self) -> str:
        return f"{'rich' if self.rich else 'plain'}-{self.replicas}"

    def manifest(self, live: Live, version: int) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "env": [{"name": "ECHO_VERSION", "value": str(version)}],
            "replicas": self.replicas,
            "rollout": {"revisionHistoryLimit": 1, "blueGreen": {"scaleDownDelaySeconds": 1}},
        }
        if self.rich:
            del spec["replicas"]
            spec["autoscaling"] = {"minReplicas": self.replicas, "maxReplicas": self.replicas}
            spec["config"] = [
                {"name": "inline", "data": {"ECHO_INLINE": "one"}},
                {"name": "shared", "configMapRef": {"name": "shared"}},
            ]
            spec["secrets"] = [{"name": "key", "secretRef": {"name": "key"}}]
        manifest = an_echo(live.stage, self.name, **spec)
        if self.rich:
            del manifest["spec"]["replicas"]
        return manifest


CASES = tuple(Case(replicas, rich) for rich in (False, True) for replicas in (1, 3, 6))

Objects = dict[str, dict[str, Any]]
"""Owned objects by UID."""


def measure(live: Live) -> dict[str, Any]:
    """Measure all cases, interleaved.  Raises LocalError when a rollout does not come to its end."""
    _begin(live)
    idle = [_idle(live)]
    runs: dict[str, list[dict[str, Any]]] = {case.name: [] for case in CASES}
    repeats = 0
    with step(
        f"{ROUNDS} rounds of {len(CASES)} rollouts",
        lambda: f"{sum(map(len, runs.values()))} of {ROUNDS * len(CASES)} done",
    ):
        for number in range(1, ROUNDS + 1):
            for case in CASES:
                run = _rollout(live, case, number * 100)
                while run["disturbed"] and repeats < REPEATS:
                    repeats += 1
                    say(f"  {case.name} is repeated, because {run['disturbed']}")
                    run = _rollout(live, case, number * 100 + repeats)
                runs[case.name].append(run)
    idle.append(_idle(live))
    rate = median([each["cpu_seconds"] / each["seconds"] for each in idle])
    return {
        "rollouts_per_case": ROUNDS,
        "idle": {
            "taskservices": len(CASES),
            "seconds": round(sum(each["seconds"] for each in idle), 1),
            "writes": sum(each["writes"] for each in idle),
            "reads": None if None in (reads := [each["reads"] for each in idle]) else sum(reads),
            "cpu_share": round(rate, 4),
            "disturbed": "; ".join(each["disturbed"] for each in idle if each["disturbed"]),
        },
        "cases": [_summary(case, runs[case.name], rate) for case in CASES],
    }


def _begin(live: Live) -> None:
    """Every case with one release behind it, so that each further one also removes its oldest revision."""
    sources = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"ECHO_SHARED": "two"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"ECHO_KEY": "three"}},
    ]
    for version in (0, 1):
        with step(f"release {version + 1} of {len(CASES)} TaskServices, not measured"):
            live.apply(*sources, *(case.manifest(live, version) for case in CASES))
            for case in CASES:
                _until_ready(live, case)
            _until_settled(live)


def _rollout(live: Live, case: Case, version: int) -> dict[str, Any]:
    mine = [f"{live.namespace}/{case.name}"]
    owned, before, began = _owned(live, case), read_counters(live.stage, mine), time.monotonic()
    live.change(case.name, env=[{"name": "ECHO_VERSION", "value": str(version)}])
    _until_ready(live, case)
    _until_settled(live)
    seconds = time.monotonic() - began
    after = read_counters(live.stage, mine)  # before our own look at what came of it
    return _run(live, owned, _owned(live, case), before, after, seconds)


def _run(live: Live, old: Objects, new: Objects, before: Counters, after: Counters, seconds: float) -> dict[str, Any]:
    created = [new[uid] for uid in new.keys() - old.keys()]
    changed = [new[uid] for uid in new.keys() & old.keys() if _content(new[uid]) != _content(old[uid])]
    deleted = old.keys() - new.keys()
    sent, floor_cpu = _floor(live, [*created, *changed])
    return {
        "owned": len(new),
        "created": len(created),
        "changed": len(changed),
        "deleted": len(deleted),
        "floor": sent + len(deleted),
        "floor_cpu_seconds": floor_cpu,
        "writes": after.writes_since(before),
        "reads": None if after.reads is None or before.reads is None else int(after.reads - before.reads) - OUR_READS,
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "seconds": seconds,
        "disturbed": after.disturbed_since(before),
    }


def _floor(live: Live, objects: list[dict[str, Any]]) -> tuple[int, float]:
    """Write requests and CPU seconds of ``kubectl apply`` for these objects.  Raises LocalError when it fails."""
    items = [{**_content(each), "metadata": {"name": f"{each['metadata']['name']}-floor"}} for each in objects]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    words = ["-n", live.namespace, "apply", "--server-side", "--dry-run=server", "--validate=false", "-v=6", "-f", "-"]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [str(word) for word in (*live.stage.kubectl.base, *words)]
    done = subprocess.run(argv, input=document, capture_output=True, text=True, timeout=60, check=False)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise LocalError(f"kubectl apply of {len(items)} objects, the floor, failed: {done.stderr.strip()[-600:]}")
    return len(_SENT.findall(done.stderr)), now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def _content(owned: dict[str, Any]) -> dict[str, Any]:
    """What was asked for: no metadata, no status, and nothing that the API server allots."""
    content = {name: value for name, value in owned.items() if name not in ("metadata", "status")}
    if content["kind"] == "Service":
        allotted = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
        content["spec"] = {name: value for name, value in content["spec"].items() if name not in allotted}
    return content


def _owned(live: Live, case: Case) -> Objects:
    selector = f"taskservice.dev/name={case.name},app.kubernetes.io/managed-by=taskservice-operator"
    return {each["metadata"]["uid"]: each for each in live.list(OWNED, "-l", selector)}


def _until_ready(live: Live, case: Case) -> None:
    """Wait by lists of TaskServices, which are not among the reads that are counted."""

    def ready() -> bool:
        return any(each["metadata"]["name"] == case.name and is_ready(each) for each in live.list(TSVC))

    try:
        wait_for(f"TaskService {case.name}", ready, 180, every=0.5)
    except LocalError:
        waiting = live.status(case.name).get("step", "it has no status at all")
        raise LocalError(f"TaskService {case.name} is not Ready after 180 s: {waiting}") from None


def _until_settled(live: Live) -> None:
    """Wait until the operator has written nothing for SETTLED_SECONDS; its other users may take their time."""
    end = time.monotonic() + 120
    seen, since = total_writes(live.stage), time.monotonic()
    while time.monotonic() - since < SETTLED_SECONDS:
        if time.monotonic() > end:
            raise LocalError("The operator has not come to rest for 120 s: is somebody else at work on this cluster?")
        time.sleep(1)
        written = total_writes(live.stage)
        if written != seen:
            seen, since = written, time.monotonic()


def _idle(live: Live) -> dict[str, Any]:
    """A stretch of rest; one that others disturb is repeated."""
    rest = _rest(live)
    for _ in range(REPEATS):
        if not rest["disturbed"]:
            break
        say(f"  repeated, because {rest['disturbed']}")
        rest = _rest(live)
    return rest


def _rest(live: Live) -> dict[str, Any]:
    with step(f"{IDLE_SECONDS:.0f} s of rest"):
        mine = [f"{live.namespace}/{case.name}" for case in CASES]
        before, began = read_counters(live.stage, mine), time.monotonic()
        time.sleep(IDLE_SECONDS)
        after, seconds = read_counters(live.stage, mine), time.monotonic() - began
    return {
        "seconds": seconds,
        "writes": sum(after.writes_since(before).values()),
        "reads": None if after.reads is None or before.reads is None else int(after.reads - before.reads),
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "disturbed": after.disturbed_since(before),
    }


def _summary(case: Case, runs: list[dict[str, Any]], idle_rate: float) -> dict[str, Any]:
    counted = [run for run in runs if not run["disturbed"]] or runs

    def middle(name: str) -> float:
        return median([run[name] for run in counted])

    kinds = sorted({kind for run in counted for kind in run["writes"]})
    writes = {kind: median([run["writes"].get(kind, 0) for run in counted]) for kind in kinds}
    total = median([sum(run["writes"].values()) for run in counted])
    objects = median([_object_writes(run) for run in counted])
    cpu = median([max(run["cpu_seconds"] - idle_rate * run["seconds"], 0) for run in counted])
    reads = [run["reads"] for run in counted]
    return {
        "case": case.name,
        "pods": case.replicas,
        **{name: middle(name) for name in ("owned", "created", "changed", "deleted", "floor", "floor_cpu_seconds")},
        "writes": total,
        "writes_of_objects": objects,
        "writes_by_kind": writes,
        "reads": None if None in reads else median(reads),
        "cpu_seconds": cpu,
        "seconds": middle("seconds"),
        "writes_to_floor": ratio(total, middle("floor")),
        "object_writes_to_floor": ratio(objects, middle("floor")),
        "writes_to_created": ratio(total, middle("created")),
        "cpu_to_floor": ratio(cpu, middle("floor_cpu_seconds")),
        "disturbed": sum(1 for run in runs if run["disturbed"]),
        "runs": runs,
    }


def _object_writes(run: dict[str, Any]) -> int:
    return sum(number for kind, number in run["writes"].items() if kind not in BOOKKEEPING)


def _title(row: dict[str, Any]) -> str:
    size = f"{row['pods']} pod{'s' if row['pods'] > 1 else ''}"
    return size + (", 3 sources, HPA" if row["case"].startswith("rich") else "")


def render(result: dict[str, Any]) -> str:
    """The result as text."""
    idle = result["idle"]
    rows = table(
        result["cases"],
        {
            "rollout of": lambda row: _title(row),
            "owned": lambda row: f"{row['owned']:.0f}",
            "created": lambda row: f"{row['created']:.0f}",
            "floor": lambda row: f"{row['floor']:.0f}",
            "writes": lambda row: f"{row['writes']:.0f}",
            "objects": lambda row: f"{row['writes_of_objects']:.0f}",
            "status": lambda row: f"{row['writes_by_kind'].get('TaskService', 0):.0f}",
            "events": lambda row: f"{row['writes_by_kind'].get('Event', 0):.0f}",
            "reads": lambda row: None if row["reads"] is None else f"{row['reads']:.0f}",
            "objects/floor": lambda row: row["object_writes_to_floor"],
            "writes/floor": lambda row: row["writes_to_floor"],
            "writes/created": lambda row: row["writes_to_created"],
            "cpu/kubectl": lambda row: row["cpu_to_floor"],
        },
    )
    notes = [
        f"{row['case']}: {row['disturbed']} of its runs were disturbed" for row in result["cases"] if row["disturbed"]
    ]
    rest = f"{idle['taskservices']} idle TaskServices for {idle['seconds']:.0f} s: {idle['writes']} writes"
    if idle["reads"] is not None:
        rest += f", {idle['reads']} reads"
    rest += f", {idle['cpu_share']:.1%} of a core"
    return "\n".join([rows, rest + (f" (disturbed: {idle['disturbed']})" if idle["disturbed"] else ""), *notes])
