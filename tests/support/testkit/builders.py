"""TaskServices, statuses and snapshots in words: ``a_taskservice("web").image("app:1").replicas(3)``.

Every builder is a value: each word returns a new one, so a test may start many stories from one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.spec import ConfigSource, parse_spec
from taskservice_operator.api.status import Status, render_status
from taskservice_operator.core.facts import read_facts
from taskservice_operator.core.model import Measurement, ObjectKey, Snapshot, VaultAnswer, VaultRequest
from taskservice_operator.core.revision import Blocked, Wanted, resolve
from taskservice_operator.core.view import View
from taskservice_operator.render.deployment import build_deployment
from taskservice_operator.render.difference import stamped
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.record import COLOURS, Record, build_record
from taskservice_operator.render.service import build_service

Json = Mapping[str, Any]
START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment of a test's time, counted from its start."""
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class TaskServiceBuilder:
    """A TaskService in the making.  ``manifest()`` is what the API server would hand out."""

    name: str
    spec: Json = field(default_factory=lambda: {"image": "app:1"})
    annotations: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    generation: int = 1

    def having(self, **fields: Any) -> TaskServiceBuilder:
        """Set spec fields; None removes one."""
        spec = {key: value for key, value in {**self.spec, **fields}.items() if value is not None}
        return replace(self, spec=spec, generation=self.generation + 1)

    def image(self, image: str) -> TaskServiceBuilder:
        return self.having(image=image)

    def replicas(self, count: int) -> TaskServiceBuilder:
        return self.having(replicas=count)

    def paused(self, paused: bool = True) -> TaskServiceBuilder:
        return self.having(paused=paused)

    def autoscaled(self, minimum: int, maximum: int) -> TaskServiceBuilder:
        return self.having(autoscaling={"minReplicas": minimum, "maxReplicas": maximum})

    def not_autoscaled(self) -> TaskServiceBuilder:
        return self.having(autoscaling=None)

    def config(self, **data: str) -> TaskServiceBuilder:
        """Inline configuration under the name ``settings``."""
        return self.having(config=[{"name": "settings", "data": data}])

    def config_from(self, name: str) -> TaskServiceBuilder:
        """Configuration from a ConfigMap, under the name ``settings``."""
        return self.having(config=[{"name": "settings", "configMapRef": {"name": name}}])

    def rollout(self, **fields: Any) -> TaskServiceBuilder:
        return self.having(rollout={**self.spec.get("rollout", {}), **fields})

    def blue_green(self, **fields: Any) -> TaskServiceBuilder:
        return self.rollout(blueGreen={**self.spec.get("rollout", {}).get("blueGreen", {}), **fields})

    def by_steps(self, *steps: int | str | None, **fields: Any) -> TaskServiceBuilder:
        """Canary: a number is a weight, ``"30s"`` a pause, None a pause until promoted."""
        canary = {**self.spec.get("rollout", {}).get("canary", {}), **fields}
        return self.rollout(strategy="Canary", canary={**canary, "steps": [_step(step) for step in steps]})

    def promoted_by_hand(self) -> TaskServiceBuilder:
        return self.blue_green(autoPromotion=False)

    def analysed_before(self, **metric: Any) -> TaskServiceBuilder:
        return self._analysed("prePromotion", metric)

    def analysed_after(self, **metric: Any) -> TaskServiceBuilder:
        return self._analysed("postPromotion", metric)

    def _analysed(self, stage: str, metric: Json) -> TaskServiceBuilder:
        analysis = self.spec.get("rollout", {}).get("analysis", {})
        return self.rollout(analysis={**analysis, stage: [{"name": "smoke", **metric}]})

    def asking(self, verb: str, revision: str) -> TaskServiceBuilder:
        """Annotated with a human verb: ``asking("promote", "abc")``."""
        return replace(self, annotations={**self.annotations, f"{names.GROUP}/{verb}": revision})

    def with_status(self, status: Status | Json) -> TaskServiceBuilder:
        return replace(self, status=render_status(status) if isinstance(status, Status) else status)

    def manifest(self) -> dict[str, Any]:
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "name": self.name,
                "namespace": "default",
                "uid": f"uid-{self.name}",
                "generation": self.generation,
                "annotations": dict(self.annotations),
            },
            "spec": copy.deepcopy(dict(self.spec)),
            "status": copy.deepcopy(dict(self.status)),
        }

    def vault_secret(self, path: str) -> TaskServiceBuilder:
        """A secret of Vault, under the name ``login``."""
        return self.having(secrets=[{"name": "login", "vault": {"path": path}}])

    def revision(
        self,
        sources: Mapping[tuple[str, str], Json | None] | None = None,
        vault: Mapping[VaultRequest, VaultAnswer] | None = None,
    ) -> str:
        """The revision that this spec asks for."""
        wanted = self.wanted(sources, vault)
        assert isinstance(wanted, Wanted), wanted
        return wanted.revision

    def wanted(
        self,
        sources: Mapping[tuple[str, str], Json | None] | None = None,
        vault: Mapping[VaultRequest, VaultAnswer] | None = None,
    ) -> Wanted | Blocked:
        snapshot = Snapshot(self.manifest(), sources=sources or {}, vault=vault or {})
        return resolve(parse_spec(self.spec), self.spec, snapshot)

    def record(self, colour: str = COLOURS[0], number: int = 1) -> Record:
        """The stored form of the revision that this spec asks for."""
        wanted = self.wanted()
        assert isinstance(wanted, Wanted), wanted
        bare = tuple(ConfigSource(s.name, mount_path=s.mount_path, secret=s.secret) for s in wanted.sources)
        return Record(wanted.revision, wanted.template, wanted.autoscaling, bare, colour, number)


def _step(step: int | str | None) -> Json:
    if isinstance(step, int):
        return {"setWeight": step}
    return {"pause": {"seconds": int(step.removesuffix("s"))} if step else {}}


def a_taskservice(name: str = "web") -> TaskServiceBuilder:
    """A TaskService that runs ``app:1``."""
    return TaskServiceBuilder(name)


@dataclass(frozen=True)
class SnapshotBuilder:
    """What is observed, in the making: revisions with pods, Services that select them, sources, measurements."""

    taskservice: TaskServiceBuilder
    objects: Mapping[ObjectKey, Json] = field(default_factory=dict)
    pods: tuple[Json, ...] = ()
    slices: tuple[Json, ...] = ()
    sources: Mapping[tuple[str, str], Json | None] = field(default_factory=dict)
    foreign: frozenset[ObjectKey] = frozenset()
    measurements: tuple[Measurement, ...] = ()

    def blue(self, of: TaskServiceBuilder | None = None, **counts: Any) -> SnapshotBuilder:
        """The blue side: the revision of ``of`` (else of the TaskService itself) with so many pods."""
        return self.side(of or self.taskservice, COLOURS[0], 1, **counts)

    def green(self, of: TaskServiceBuilder, **counts: Any) -> SnapshotBuilder:
        """The green side."""
        return self.side(of, COLOURS[1], 2, **counts)

    def side(
        self,
        of: TaskServiceBuilder,
        colour: str,
        number: int,
        *,
        ready: int = 0,
        replicas: int | None = None,
        trouble: str | None = None,
    ) -> SnapshotBuilder:
        """A revision's record, Deployment and pods: ``replicas`` asked for (else ``ready``), so many of them ready."""
        owner, record = self._owner(), of.record(colour, number)
        wanted = ready if replicas is None else replicas
        deployment = stamped(build_deployment(owner, record, wanted))
        deployment["metadata"] |= {"uid": f"uid-{record.revision}", "generation": 1}
        deployment["status"] = {"observedGeneration": 1, "availableReplicas": ready}
        pods = [a_pod(owner, record.revision, index, index < ready, trouble) for index in range(max(wanted, ready))]
        stored = stamped(build_record(owner, record))
        stored["metadata"] |= {"uid": f"uid-record-{record.revision}"}
        return replace(self._with(stored, deployment), pods=(*self.pods, *pods))

    def live(self, of: TaskServiceBuilder, *, routed: bool = True) -> SnapshotBuilder:
        """The live Service selects the revision of ``of``; ``routed``: and its endpoints say so."""
        return self._selecting(self._owner().name, of, routed)

    def preview(self, of: TaskServiceBuilder) -> SnapshotBuilder:
        return self._selecting(self._owner().preview, of, False)

    def with_object(self, manifest: Json) -> SnapshotBuilder:
        return self._with(manifest)

    def source(self, kind: str, name: str, data: Json | None) -> SnapshotBuilder:
        return replace(self, sources={**self.sources, (kind, name): data})

    def occupied(self, api_version: str, kind: str, name: str) -> SnapshotBuilder:
        """Somebody else's object has that name."""
        return replace(self, foreign=self.foreign | {ObjectKey(api_version, kind, name)})

    def measured(self, *measurements: Measurement) -> SnapshotBuilder:
        return replace(self, measurements=(*self.measurements, *measurements))

    def build(self) -> Snapshot:
        return Snapshot(
            taskservice=self.taskservice.manifest(),
            objects=self.objects,
            pods=self.pods,
            endpoint_slices=self.slices,
            sources=dict(self.sources),
            foreign=self.foreign,
            measurements=self.measurements,
        )

    def view(self, seconds: float = 0, **status: Any) -> View:
        """The view that a decision would have now; ``status`` replaces fields of the TaskService's own."""
        from taskservice_operator.api.status import parse_status

        snapshot = self.build()
        raw = snapshot.taskservice
        resolved = resolve(parse_spec(raw["spec"]), raw["spec"], snapshot)
        return View(
            taskservice=raw,
            spec=parse_spec(raw["spec"]),
            status=replace(parse_status(raw["status"]), **status),
            facts=read_facts(snapshot),
            wanted=resolved if isinstance(resolved, Wanted) else None,
            blocked=resolved if isinstance(resolved, Blocked) else None,
            now=at(seconds),
        )

    def _owner(self) -> Owner:
        return Owner.of(self.taskservice.manifest())

    def _selecting(self, name: str, of: TaskServiceBuilder, routed: bool) -> SnapshotBuilder:
        service = stamped(build_service(self._owner(), name, of.revision(), (("http", 8000),)))
        service["metadata"] |= {"uid": f"uid-{name}"}
        service["spec"] = {**service["spec"], "clusterIP": "10.0.0.1"}
        targets = [
            pod["metadata"]["name"]
            for pod in self.pods
            if routed and pod["metadata"]["labels"][names.LABEL_REVISION] == of.revision() and is_ready(pod)
        ]
        return replace(self._with(service), slices=(*self.slices, a_slice(name, targets)))

    def _with(self, *manifests: Json) -> SnapshotBuilder:
        return replace(self, objects={**self.objects, **{ObjectKey.of(m): m for m in manifests}})


def a_snapshot(taskservice: TaskServiceBuilder) -> SnapshotBuilder:
    """What is observed of ``taskservice``: nothing but itself, so far."""
    return SnapshotBuilder(taskservice)


def a_pod(owner: Owner, revision: str, index: int, ready: bool, trouble: str | None = None) -> dict[str, Any]:
    """A pod of a revision; ``trouble`` is the reason for which its container waits."""
    waiting = {"waiting": {"reason": trouble}} if trouble and not ready else {"running": {}}
    container = {"name": "app", "ready": ready, "state": waiting, "restartCount": 0}
    if trouble == "CrashLoopBackOff" and not ready:
        container |= {"restartCount": 3, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    return {
        "metadata": {"name": f"{owner.child(revision)}-{index:03}", "labels": owner.labels(revision)},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [container],
        },
    }


def a_slice(service: str, targets: list[str]) -> dict[str, Any]:
    """An EndpointSlice of a Service with so many ready endpoints."""
    return {
        "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}} for name in targets],
    }


def is_ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
