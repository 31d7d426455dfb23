"""Why pods of a revision are not ready, in one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taskservice_operator.core.model import Manifest, Note

_ADVICE = {
    "ImagePullBackOff": "check the image name, its tag and imagePullSecrets",
    "ErrImagePull": "check the image name, its tag and imagePullSecrets",
    "ErrImageNeverPull": "the image is not on the node and imagePullPolicy is Never: load it or change the policy",
    "InvalidImageName": "correct spec.image",
    "CreateContainerConfigError": "check env references, and that the image runs as a non-root user",
    "CreateContainerError": "check command, args and mounts",
    "RunContainerError": "check command and args",
    "CrashLoopBackOff": "see the container's log",
}
MESSAGE_LIMIT = 160


def diagnose(deployment: Manifest | None, pods: Iterable[Manifest]) -> Note | None:
    """The most telling trouble of a revision's pods, or None when nothing is known to be wrong."""
    for pod in sorted(pods, key=lambda pod: pod["metadata"]["name"]):
        status = pod.get("status") or {}
        for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            note = _container_trouble(pod["metadata"]["name"], container)
            if note:
                return note
        note = _scheduling_trouble(pod["metadata"]["name"], status)
        if note:
            return note
    for condition in ((deployment or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Note("ReplicaFailure", _short(condition.get("message", "pods cannot be created")), warning=True)
    return None


def _container_trouble(pod: str, container: Mapping[str, Any]) -> Note | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
    reason, restarts = waiting.get("reason", ""), container.get("restartCount", 0)
    if reason in ("CrashLoopBackOff", "") and ended and (restarts or reason) and not container.get("ready"):
        # No pod name and no restart count: both change while the trouble stays the same.
        cause = "out of memory" if ended.get("reason") == "OOMKilled" else f"exit code {ended.get('exitCode', '?')}"
        return Note(
            "CrashLoopBackOff",
            f"container {container['name']} keeps ending ({cause}): {_ADVICE['CrashLoopBackOff']}",
            warning=True,
        )
    if reason in _ADVICE:
        said = _short(waiting.get("message", ""))
        detail = f" ({said})" if said and reason.startswith(("Create", "Run")) else ""
        image = f" image {container.get('image')}" if "mage" in reason else ""
        return Note(reason, f"container {container['name']}:{image} {reason}{detail}: {_ADVICE[reason]}", warning=True)
    return None


def _scheduling_trouble(pod: str, status: Mapping[str, Any]) -> Note | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = _short(condition.get("message", "no node fits"))
            return Note("Unschedulable", f"a pod cannot be scheduled: {message}", warning=True)
    return None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
