"""A namespace in memory, fast enough for millions of steps: what the API server keeps and what its controllers do.

Played: server-side apply with ownership of ``replicas``, generations, immutable objects, Deployments, pods by script,
EndpointSlices with a lag, autoscalers.  Not played: garbage collection, pod templates in mid-update, real time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.core.model import Apply, Create, Delete, ObjectKey, Snapshot, VaultAnswer, VaultRequest
from taskservice_operator.render.identity import Owner
from testkit.builders import START, TaskServiceBuilder

Json = Mapping[str, Any]


class Collision(Exception):
    """A Create met somebody else's object."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(str(key))
        self.key = key


@dataclass
class Pod:
    """One pod.  ``live_for``: seconds during which the live Service has selected it."""

    name: str
    revision: str
    image: str
    age: float = 0
    live_for: float = 0
    ready: bool = False
    manifest: Json | None = None


Life = Callable[[Pod], bool]
"""Whether a pod of such an age is ready."""


def starts(after: float = 4) -> Life:
    return lambda pod: pod.age >= after


def never(pod: Pod) -> bool:
    return False


def crashes(pod: Pod) -> bool:
    return False


def flaps(period: float = 6) -> Life:
    return lambda pod: pod.age >= 4 and int(pod.age / period) % 2 == 0


def dies_when_live(after: float = 3) -> Life:
    return lambda pod: pod.age >= 4 and pod.live_for < after


TROUBLE: Mapping[Any, str] = {crashes: "CrashLoopBackOff"}
STARTS = starts()


@dataclass
class World:
    """Everything outside the operator.  ``version`` grows with every change that a watch would report."""

    taskservice: dict[str, Any]
    now: datetime = START
    objects: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    sources: dict[tuple[str, str], Json | None] = field(default_factory=dict)
    vault: dict[VaultRequest, VaultAnswer] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    endpoints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lag: float = 1
    demand: int = 0
    version: int = 1
    owner: Owner = field(init=False)
    _due: dict[str, float] = field(default_factory=dict)
    _serial: int = 0

    @staticmethod
    def of(builder: TaskServiceBuilder) -> World:
        manifest = builder.manifest()
        manifest.pop("status")
        return World(manifest)

    def __post_init__(self) -> None:
        self.owner = Owner.of(self.taskservice)

    @property
    def status(self) -> dict[str, Any]:
        return self.taskservice.get("status") or {}

    # -- people --------------------------------------------------------------------------------------------------
    def edit(self, builder: TaskServiceBuilder) -> None:
        """Apply another spec, as ``kubectl apply`` would."""
        if self.taskservice["spec"] != builder.spec:
            self.taskservice["spec"] = copy.deepcopy(dict(builder.spec))
            metadata = self.taskservice["metadata"]
            self.taskservice["metadata"] = {**metadata, "generation": metadata["generation"] + 1}
            self.version += 1

    def annotate(self, verb: str, value: str | None) -> None:
        annotations = dict(self.taskservice["metadata"]["annotations"])
        key = f"{names.GROUP}/{verb}"
        if value is None:
            annotations.pop(key, None)
        else:
            annotations[key] = value
        self.taskservice["metadata"] = {**self.taskservice["metadata"], "annotations": annotations}
        self.version += 1

    def set_source(self, kind: str, name: str, data: Json | None) -> None:
        self.sources[kind, name] = data
        self.version += 1

    def set_vault(self, request: VaultRequest, answer: VaultAnswer | None) -> None:
        """What Vault answers to a request from now on; None: nothing is known yet."""
        self.vault = {key: value for key, value in self.vault.items() if key != request}
        if answer is not None:
            self.vault[request] = answer
        self.version += 1

    def put_foreign(self, api_version: str, kind: str, name: str) -> ObjectKey:
        key = ObjectKey(api_version, kind, name)
        self.objects[key] = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "uid": "foreign"}}
        self.version += 1
        return key

    def remove(self, key: ObjectKey) -> None:
        if self.objects.pop(key, None) is not None:
            self.version += 1
            if key.kind == "Deployment":
                self.pods = {n: pod for n, pod in self.pods.items() if self._deployment_of(pod) != key}

    def replace(self, key: ObjectKey, **spec: Any) -> None:
        """Change fields of an object's spec by hand."""
        existing = self.objects[key]
        self._store(key, {**existing, "spec": {**existing["spec"], **spec}})

    # -- the API server ------------------------------------------------------------------------------------------
    def snapshot(self, foreign: frozenset[ObjectKey] = frozenset()) -> Snapshot:
        owner = self.owner
        mine = {key: manifest for key, manifest in self.objects.items() if owner.owns(manifest)}
        return Snapshot(
            taskservice={**self.taskservice},
            objects=mine,
            pods=tuple(pod.manifest or self._render_pod(pod) for pod in self.pods.values()),
            endpoint_slices=tuple(self._slice(name, targets) for name, targets in self.endpoints.items()),
            sources=dict(self.sources),
            vault=dict(self.vault),
            foreign=frozenset(key for key in foreign if key in self.objects and key not in mine),
        )

    def perform(self, action: Create | Apply | Delete) -> None:
        if isinstance(action, Delete):
            existing = self.objects.get(action.key)
            assert existing is None or existing["metadata"]["uid"] == action.uid, f"deletes another {action.key}"
            self.remove(action.key)
            return
        key = ObjectKey.of(action.manifest)
        existing = self.objects.get(key)
        if existing is not None and not self.owner.owns(existing):
            assert isinstance(action, Create), f"applies over somebody else's {key}"
            raise Collision(key)
        self._apply(key, action.manifest, existing)

    def write_status(self, status: Json) -> None:
        if self.status != status:
            self.taskservice["status"] = status
            self.version += 1

    def _apply(self, key: ObjectKey, manifest: Json, existing: dict[str, Any] | None) -> None:
        if existing is None:
            self._serial += 1
            fresh = {"uid": f"uid-{self._serial}", "generation": 0}
            existing = {"metadata": fresh}
        merged: dict[str, Any] = {**existing, **manifest}
        merged["metadata"] = {**existing["metadata"], **merged["metadata"]}
        if "spec" in merged:
            merged["spec"] = dict(merged["spec"])
        if key.kind in ("ControllerRevision", "ConfigMap", "Secret") and "data" in existing:
            assert merged["data"] == existing["data"], f"{key} is immutable"
        if key.kind == "Service":
            merged["spec"]["clusterIP"] = existing.get("spec", {}).get("clusterIP") or f"10.0.0.{self._serial}"
        if key.kind == "Deployment":
            self._claim_replicas(merged, existing, manifest)
        self._store(key, merged)

    def _claim_replicas(self, merged: dict[str, Any], existing: Json, manifest: Json) -> None:
        """A field that only we own vanishes with our claim and is defaulted; one that others own stays theirs."""
        others = existing["metadata"].get("managedFields")
        merged["metadata"].pop("managedFields", None)
        if "replicas" in manifest["spec"]:
            return
        merged["spec"]["replicas"] = existing["spec"]["replicas"] if others else 1
        if others:
            merged["metadata"]["managedFields"] = others

    def _store(self, key: ObjectKey, manifest: dict[str, Any]) -> None:
        existing = self.objects.get(key)
        if existing is not None and {**manifest, "metadata": {**manifest["metadata"]}} == existing:
            return
        metadata = dict(manifest["metadata"])
        if existing is None or existing.get("spec") != manifest.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        self.objects[key] = {**manifest, "metadata": metadata}
        self.version += 1

    # -- the controllers -----------------------------------------------------------------------------------------
    def controllers(self) -> list[Callable[[float], None]]:
        return [self.scale, self.run_pods, self.publish, self.autoscale]

    def elapse(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def scale(self, seconds: float = 0) -> None:
        """The Deployment controller."""
        for key, deployment in list(self.objects.items()):
            if key.kind != "Deployment" or not self.owner.owns(deployment):
                continue
            revision = deployment["metadata"]["labels"][names.LABEL_REVISION]
            pods = [pod for pod in self.pods.values() if pod.revision == revision]
            wanted = deployment["spec"]["replicas"]
            for pod in sorted(pods, key=lambda pod: (pod.ready, pod.age))[: max(len(pods) - wanted, 0)]:
                del self.pods[pod.name]
                self.version += 1
            template = deployment["spec"]["template"]
            for _ in range(wanted - len(pods)):
                self._serial += 1
                name, image = f"{key.name}-{self._serial:05}", template["spec"]["containers"][0]["image"]
                self.pods[name] = Pod(name, template["metadata"]["labels"][names.LABEL_REVISION], image)
                self.version += 1
            self._report(key)

    def _report(self, key: ObjectKey) -> None:
        deployment = self.objects[key]
        ready = self.ready(deployment["metadata"]["labels"][names.LABEL_REVISION])
        status = {"observedGeneration": deployment["metadata"]["generation"], "availableReplicas": ready}
        if deployment.get("status") != status:
            self.objects[key] = {**deployment, "status": status}
            self.version += 1

    def run_pods(self, seconds: float = 0) -> None:
        """The node."""
        live = self.live_revision
        for pod in self.pods.values():
            pod.age += seconds
            pod.live_for += seconds if pod.revision == live or self.spread else 0
            ready = self.life_of(pod.image)(pod)
            if ready != pod.ready:
                pod.ready, pod.manifest = ready, None
                self.version += 1

    def publish(self, seconds: float = 0) -> None:
        """EndpointSlices follow the pods after a while."""
        for name in (self.owner.name, self.owner.preview):
            service = self.objects.get(ObjectKey("v1", "Service", name))
            if service is None or not self.owner.owns(service):
                self.endpoints.pop(name, None)
                continue
            selected = service["spec"]["selector"]
            targets = tuple(
                p.name for p in self.pods.values() if p.ready and _selects(selected, p.revision, self.owner)
            )
            if targets == self.endpoints.get(name, ()):
                self._due.pop(name, None)
                continue
            self._due[name] = self._due.get(name, self.lag) - seconds
            if self._due[name] <= 0:
                self.endpoints[name] = targets
                self._due.pop(name)
                self.version += 1

    def autoscale(self, seconds: float = 0) -> None:
        """HPAs: only what is live has any load."""
        for key, autoscaler in list(self.objects.items()):
            if key.kind != "HorizontalPodAutoscaler":
                continue
            target = ObjectKey("apps/v1", "Deployment", autoscaler["spec"]["scaleTargetRef"]["name"])
            deployment = self.objects.get(target)
            if deployment is None or deployment["spec"]["replicas"] == 0:
                continue  # at zero an autoscaler is switched off
            revision = deployment["metadata"]["labels"][names.LABEL_REVISION]
            load = self.demand if revision == self.live_revision else 0
            wanted = min(max(load, autoscaler["spec"]["minReplicas"]), autoscaler["spec"]["maxReplicas"])
            if wanted != deployment["spec"]["replicas"]:
                self.scale_by_subresource(target, wanted, "kube-controller-manager")

    def scale_by_subresource(self, key: ObjectKey, replicas: int, manager: str) -> None:
        deployment = self.objects[key]
        claim = {"manager": manager, "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        metadata = {**deployment["metadata"], "managedFields": [claim]}
        self._store(key, {**deployment, "metadata": metadata, "spec": {**deployment["spec"], "replicas": replicas}})

    # -- looking -------------------------------------------------------------------------------------------------
    @property
    def live_revision(self) -> str | None:
        service = self.objects.get(ObjectKey("v1", "Service", self.owner.name))
        return ((service or {}).get("spec") or {}).get("selector", {}).get(names.LABEL_REVISION)

    @property
    def spread(self) -> bool:
        """The live Service selects every revision."""
        service = self.objects.get(ObjectKey("v1", "Service", self.owner.name))
        return ((service or {}).get("spec") or {}).get("selector") == self.owner.selector()

    def selects(self, revision: str) -> bool:
        return self.spread or self.live_revision == revision

    def shown(self, revision: str | None) -> int:
        """Endpoints of the live Service that are pods of a revision."""
        targets = self.endpoints.get(self.owner.name, ())
        return sum(name in self.pods and self.pods[name].revision == revision for name in targets)

    def ready(self, revision: str | None) -> int:
        return sum(pod.ready for pod in self.pods.values() if pod.revision == revision)

    def replicas(self, revision: str | None) -> int:
        deployment = self.objects.get(ObjectKey("apps/v1", "Deployment", self.owner.child(revision or "")))
        return deployment["spec"]["replicas"] if deployment else 0

    def autoscaler(self, revision: str | None) -> Json | None:
        key = ObjectKey("autoscaling/v2", "HorizontalPodAutoscaler", self.owner.child(revision or ""))
        return self.objects.get(key)

    def life_of(self, image: str) -> Life:
        return self.lives.get(image, STARTS)

    def _deployment_of(self, pod: Pod) -> ObjectKey:
        return ObjectKey("apps/v1", "Deployment", self.owner.child(pod.revision))

    def _render_pod(self, pod: Pod) -> Json:
        trouble = None if pod.ready else TROUBLE.get(self.life_of(pod.image))
        container: dict[str, Any] = {"name": "app", "ready": pod.ready, "state": {"running": {}}, "restartCount": 0}
        if trouble:
            container |= {"state": {"waiting": {"reason": trouble}}, "restartCount": 3}
            container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
        pod.manifest = {
            "metadata": {"name": pod.name, "labels": self.owner.labels(pod.revision)},
            "status": {
                "conditions": [{"type": "Ready", "status": "True" if pod.ready else "False"}],
                "containerStatuses": [container],
            },
        }
        return pod.manifest

    def _slice(self, name: str, targets: tuple[str, ...]) -> Json:
        return {
            "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [
                {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": target}} for target in targets
            ],
        }


def _selects(selector: Json, revision: str, owner: Owner) -> bool:
    return selector in (owner.selector(revision), owner.selector())
