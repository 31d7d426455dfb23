"""What Kubernetes' own controllers would do with the objects of a memory cluster, one step at a time.

Played: garbage collector, Deployment controller (without ReplicaSet objects), pods that start, fail and end,
EndpointSlices, and the autoscaler.  All of them act once per step, in this order, so every effect is seen with a
delay of at most a second and never at once: code that depends on immediate effects is found out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskservice_operator.api import names
from taskservice_operator.api.status import format_time, parse_time
from taskservice_operator.cluster.kinds import controller_uid, owner_name
from taskservice_operator.cluster.port import Ref

if TYPE_CHECKING:
    from taskservice_operator.cluster.memory import MemoryCluster

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Behaviour:
    """A pod's life.  Ages in seconds.

    ``ready_after`` None: never ready.  ``unready_at``: the age at which a ready pod stops being ready, for good.
    ``waiting``: the reason its container shows while it is not ready; ``restarts``: it keeps ending.
    """

    ready_after: float | None = 2
    unready_at: float | None = None
    waiting: str | None = None
    restarts: bool = False


READY = Behaviour()
NEVER_READY = Behaviour(ready_after=None)
CRASHES = Behaviour(ready_after=None, waiting="CrashLoopBackOff", restarts=True)
UNPULLABLE = Behaviour(ready_after=None, waiting="ImagePullBackOff")


class World:
    """The controllers.  ``behaviours`` by revision or image; ``demands`` in replicas by TaskService."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.behaviours: dict[str, Behaviour] = {}
        self.demands: dict[Ref, int] = {}
        self._serial = 0

    def step(self) -> None:
        """Let every controller act once."""
        self._collect_garbage()
        for deployment in self._cluster.all("Deployment"):
            self._scale(deployment)
        for pod in self._cluster.all("Pod"):
            self._live(pod)
        for service in self._cluster.all("Service"):
            self._publish(service)
        for autoscaler in self._cluster.all("HorizontalPodAutoscaler"):
            self._autoscale(autoscaler)
        for deployment in self._cluster.all("Deployment"):
            self._report(self._cluster.store["Deployment", _namespace(deployment), _name(deployment)])

    def is_autoscaled(self, deployment: Manifest) -> bool:
        """True when an autoscaler has a say in a Deployment's replicas."""
        return any(
            _namespace(autoscaler) == _namespace(deployment)
            and autoscaler["spec"]["scaleTargetRef"]["name"] == _name(deployment)
            and (autoscaler.get("status") or {}).get("desiredReplicas") is not None
            for autoscaler in self._cluster.all("HorizontalPodAutoscaler")
        )

    def _collect_garbage(self) -> None:
        alive = {manifest["metadata"]["uid"] for manifest in self._cluster.store.values()}
        for address, manifest in list(self._cluster.store.items()):
            owners = [reference["uid"].removesuffix("-rs") for reference in _references(manifest)]
            if owners and not alive & set(owners):
                self._cluster.discard(address)

    def _scale(self, deployment: dict[str, Any]) -> None:
        wanted, digest = deployment["spec"].get("replicas", 1), _digest(deployment["spec"]["template"])
        present = [pod for pod in self._pods_of(deployment) if "deletionTimestamp" not in pod["metadata"]]
        current = [pod for pod in present if pod["metadata"]["labels"]["pod-template-hash"] == digest]
        for _ in range(wanted - len(current)):
            self._start(deployment, digest)
        # Those that serve are kept longest, and of those the oldest.
        expendable = sorted(current, key=lambda pod: (is_ready(pod), _negated(_name(pod))))
        leaving = expendable[: max(0, len(current) - wanted)]
        if sum(map(is_ready, current)) >= wanted:
            leaving += [pod for pod in present if pod not in current]
        for pod in leaving:
            moment = format_time(self._cluster.now)
            self._cluster.save({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": moment}})

    def _start(self, deployment: dict[str, Any], digest: str) -> None:
        self._serial += 1
        template = deployment["spec"]["template"]
        name = f"{_name(deployment)}-{digest}"
        self._cluster.save(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{name}-{self._serial:05}",
                    "namespace": _namespace(deployment),
                    "labels": {**template["metadata"]["labels"], "pod-template-hash": digest},
                    "annotations": dict(template["metadata"].get("annotations") or {}),
                    "ownerReferences": [
                        {
                            "apiVersion": "apps/v1",
                            "kind": "ReplicaSet",
                            "name": name,
                            "uid": deployment["metadata"]["uid"] + "-rs",
                            "controller": True,
                        }
                    ],
                },
                "spec": template["spec"],
                "status": {"phase": "Pending", "podIP": f"10.97.{self._serial // 250}.{self._serial % 250 + 1}"},
            }
        )

    def _live(self, pod: dict[str, Any]) -> None:
        address = ("Pod", _namespace(pod), _name(pod))
        if "deletionTimestamp" in pod["metadata"]:
            if parse_time(pod["metadata"]["deletionTimestamp"]) < self._cluster.now:
                self._cluster.discard(address)
            return
        behaviour = self._behaviour_of(pod)
        age = (self._cluster.now - parse_time(pod["metadata"]["creationTimestamp"])).total_seconds()
        ready = behaviour.ready_after is not None and age >= behaviour.ready_after
        if behaviour.unready_at is not None and age >= behaviour.unready_at:
            ready = False
        since = _condition(pod, "Ready").get("lastTransitionTime")
        if since is None or ready != is_ready(pod):
            since = format_time(self._cluster.now)
        verdict = "True" if ready else "False"
        status = {
            "phase": "Running" if ready or behaviour.restarts else "Pending" if behaviour.waiting else "Running",
            "podIP": pod["status"]["podIP"],
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": pod["metadata"]["creationTimestamp"]},
                {"type": "Ready", "status": verdict, "lastTransitionTime": since},
            ],
            "containerStatuses": [_container_status(pod, behaviour, ready)],
        }
        self._cluster.save({**pod, "status": status})

    def _behaviour_of(self, pod: Manifest) -> Behaviour:
        revision = pod["metadata"]["labels"].get(names.LABEL_REVISION, "")
        image = pod["spec"]["containers"][0].get("image", "")
        return self.behaviours.get(revision) or self.behaviours.get(image) or READY

    def _publish(self, service: dict[str, Any]) -> None:
        selector = service["spec"].get("selector")
        if not selector:
            return
        endpoints = [
            _endpoint(pod)
            for pod in self._cluster.all("Pod")
            if _namespace(pod) == _namespace(service) and selector.items() <= pod["metadata"]["labels"].items()
        ]
        name = f"{_name(service)}-slice"
        known = self._cluster.store.get(("EndpointSlice", _namespace(service), name))
        metadata: dict[str, Any] = {
            **(known["metadata"] if known else {"name": name, "namespace": _namespace(service)}),
            "labels": {**(service["metadata"].get("labels") or {}), "kubernetes.io/service-name": _name(service)},
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": _name(service),
                    "uid": service["metadata"]["uid"],
                    "controller": True,
                }
            ],
        }
        self._cluster.save(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": metadata,
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": [{"port": port["port"]} for port in service["spec"].get("ports") or ()],
            }
        )

    def _autoscale(self, autoscaler: dict[str, Any]) -> None:
        spec = autoscaler["spec"]
        address = ("Deployment", _namespace(autoscaler), spec["scaleTargetRef"]["name"])
        deployment = self._cluster.store.get(address)
        if deployment is None or deployment["spec"].get("replicas", 1) == 0:
            return  # at zero an autoscaler is switched off
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        wanted = min(max(self._demand_on(deployment), least), most)
        if deployment["spec"].get("replicas", 1) != wanted:
            self._cluster.save({**deployment, "spec": {**deployment["spec"], "replicas": wanted}})
        status = {"currentReplicas": len(self._pods_of(deployment)), "desiredReplicas": wanted}
        self._cluster.save({**autoscaler, "status": status})

    def _demand_on(self, deployment: Manifest) -> int:
        """What the load calls for: only pods behind the live Service have any."""
        name = owner_name(deployment) or ""
        ref = Ref(_namespace(deployment), name)
        service = self._cluster.store.get(("Service", ref.namespace, name))
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        selector = (service or {}).get("spec", {}).get("selector") or {"": ""}
        return self.demands.get(ref, 0) if selector.items() <= labels.items() else 0

    def _report(self, deployment: dict[str, Any]) -> None:
        digest = _digest(deployment["spec"]["template"])
        pods = [pod for pod in self._pods_of(deployment) if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in pods if is_ready(pod)]
        patience = deployment["spec"].get("minReadySeconds", 0)
        available = [pod for pod in ready if self._seconds_ready(pod) >= patience]
        updated = [pod for pod in pods if pod["metadata"]["labels"]["pod-template-hash"] == digest]
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len(updated),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
            "unavailableReplicas": max(0, deployment["spec"].get("replicas", 1) - len(available)),
        }
        enough = len(available) >= deployment["spec"].get("replicas", 1)
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},  # the real one leaves zeros out, too
            "conditions": [{"type": "Available", "status": "True" if enough else "False"}],
        }
        self._cluster.save({**deployment, "status": status})

    def _seconds_ready(self, pod: Manifest) -> float:
        since = parse_time(_condition(pod, "Ready")["lastTransitionTime"])
        return (self._cluster.now - since).total_seconds()

    def _pods_of(self, deployment: Manifest) -> list[dict[str, Any]]:
        uid = deployment["metadata"]["uid"] + "-rs"
        return [pod for pod in self._cluster.all("Pod") if controller_uid(pod) == uid]


def is_ready(pod: Manifest) -> bool:
    """True when a pod's Ready condition is."""
    return _condition(pod, "Ready").get("status") == "True"


def _container_status(pod: Manifest, behaviour: Behaviour, ready: bool) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    waiting = None if ready else behaviour.waiting
    status: dict[str, Any] = {
        "name": container.get("name", "main"),
        "image": container.get("image", ""),
        "ready": ready,
        "restartCount": 3 if behaviour.restarts and not ready else 0,
        "state": {"waiting": {"reason": waiting}} if waiting else {"running": {}},
    }
    if behaviour.restarts and not ready:
        status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return status


def _endpoint(pod: Manifest) -> dict[str, Any]:
    going, ready = "deletionTimestamp" in pod["metadata"], is_ready(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready and not going, "serving": ready, "terminating": going},
        "targetRef": {
            "kind": "Pod",
            "name": _name(pod),
            "namespace": _namespace(pod),
            "uid": pod["metadata"]["uid"],
        },
    }


def _digest(template: Manifest) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _condition(manifest: Manifest, kind: str) -> Manifest:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _references(manifest: Manifest) -> list[Manifest]:
    return list(manifest["metadata"].get("ownerReferences") or ())


def _negated(name: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in name)


def _name(manifest: Manifest) -> str:
    return manifest["metadata"]["name"]


def _namespace(manifest: Manifest) -> str:
    return manifest["metadata"]["namespace"]
