"""What runs: images by digest, charts by version, bounded resources, no more rights over a node than needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from taskservice_infra.policy.model import UNKNOWN, Resource, entries, walk

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
#: One version and nothing that leaves a choice: no range, no "latest".
EXACT_VERSION = re.compile(r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
POD_TEMPLATES = {
    "Pod": "spec",
    "Deployment": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "Job": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
CHARTS = ("kubernetes:helm.sh/v3:Release", "kubernetes:helm.sh/v4:Chart", "kubernetes:helm.sh/v3:Chart")


def _pod(resource: Resource) -> Any:
    path = POD_TEMPLATES.get(resource.kind) if resource.package == "kubernetes" else None
    spec = resource.at(path) if path else None
    return spec if isinstance(spec, Mapping) else {}


def _containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    pod = _pod(resource)
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in entries(pod.get(group)):
            if isinstance(container, Mapping):
                yield container


def _is_taskservice(resource: Resource) -> bool:
    return resource.type.startswith("kubernetes:taskservice.dev/") and resource.kind == "TaskService"


def image_without_digest(resource: Resource) -> Iterator[str]:
    """Refuse images by tag: what runs must be what was tested.

    Looks at pods, at every ``image`` in the values of a chart, and in custom resources, which others make pods of.
    Images that a third party's chart names itself are fixed by the chart's version, see :func:`chart_without_version`.
    """
    for container in _containers(resource):
        yield from _by_digest(container.get("image"), f"container {container.get('name')}")
    if resource.type in CHARTS:
        yield from _named_images(resource.at("values"), "values")
    elif _is_custom(resource):
        yield from _named_images(resource.at("spec"), "spec")


def _is_custom(resource: Resource) -> bool:
    """Whether its group has a dot and is none of Kubernetes' own: those end in ``k8s.io`` or have none."""
    group = resource.type.split(":")[1].split("/")[0] if resource.package == "kubernetes" else ""
    return "." in group and not group.endswith((".k8s.io", "helm.sh"))


def _named_images(tree: Any, top: str) -> Iterator[str]:
    for path, node in walk(tree or {}, top):
        if path.rsplit(".", 1)[-1] != "image" and not path.endswith("Image"):
            continue
        if isinstance(node, str):
            yield from _by_digest(node, path)
        elif isinstance(node, Mapping) and "tag" in node:  # without one it is the chart's, and so its version's
            yield from _image_block(node, path)


def _image_block(node: Mapping[str, Any], where: str) -> Iterator[str]:
    """``{repository, tag, digest}``, as charts write an image: by a digest field, or within the tag or repository."""
    texts = [node.get(key) for key in ("digest", "sha", "tag", "repository")]
    if not any(text is UNKNOWN or re.search(r"(^|@)sha256:[0-9a-f]{64}$", str(text)) for text in texts):
        yield f"{where} ({node.get('repository', '?')}:{node.get('tag', '?')}) has no digest; set {where}.digest"


def _by_digest(image: Any, where: str) -> Iterator[str]:
    if isinstance(image, str) and not DIGEST.search(image):
        yield f"{where} runs {image}, a tag that may move; write it with its digest (name@sha256:…)"


def chart_without_version(resource: Resource) -> Iterator[str]:
    """Refuse charts of a repository without one exact version; a chart in a folder of ours needs none."""
    if resource.type not in CHARTS:
        return
    chart = str(resource.at("chart") or "")
    remote = chart.startswith("oci://") or bool(resource.at("repositoryOpts.repo"))
    version = resource.at("version")
    if remote and version is not UNKNOWN and not EXACT_VERSION.match(str(version or "")):
        yield f"chart {chart} has version {version!r}; name one exact version"


def unlimited_resources(resource: Resource) -> Iterator[str]:
    """Refuse containers without requests for processor and memory and a limit of memory.

    No limit of processor time is asked for: it throttles without protecting anybody whose requests are set.
    """
    for container in _containers(resource):
        yield from _bounded(container.get("resources"), f"container {container.get('name')}")
    if _is_taskservice(resource):
        yield from _bounded(resource.at("spec.resources"), "spec.resources")


def _bounded(resources: Any, where: str) -> Iterator[str]:
    if resources is UNKNOWN:
        return
    block = resources if isinstance(resources, Mapping) else {}
    requests, limits = block.get("requests") or {}, block.get("limits") or {}
    missing = [
        name
        for name, present in (
            ("requests.cpu", "cpu" in requests),
            ("requests.memory", "memory" in requests),
            ("limits.memory", "memory" in limits),
        )
        if not present
    ]
    if missing:
        yield f"{where} lacks {', '.join(missing)}: it could starve its neighbours"


def privileged_pod(resource: Resource) -> Iterator[str]:
    """Refuse what Kubernetes' Pod Security level ``restricted`` refuses, and mounts of the node's folders.

    Source: kubernetes.io/docs/concepts/security/pod-security-standards.
    """
    pod = _pod(resource)
    if not pod:
        return
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field) is True:
            yield f"{field} is on: the pod would share the node's"
    for volume in entries(pod.get("volumes")):
        if isinstance(volume, Mapping) and "hostPath" in volume:
            yield f"volume {volume.get('name')} mounts {volume['hostPath'].get('path')} of the node"
    of_pod = pod.get("securityContext") or {}
    if of_pod is UNKNOWN:
        return
    for container in _containers(resource):
        yield from _restricted(container, of_pod)


def _restricted(container: Mapping[str, Any], of_pod: Mapping[str, Any]) -> Iterator[str]:
    where = f"container {container.get('name')}"
    own = container.get("securityContext") or {}
    if own is UNKNOWN:
        return
    if own.get("privileged") is True:
        yield f"{where} is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{where}: allowPrivilegeEscalation must be false"
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield f"{where}: runAsNonRoot must be true"
    if own.get("runAsUser", of_pod.get("runAsUser")) == 0:
        yield f"{where}: runAsUser is 0, which is root"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in entries(capabilities.get("drop")):
        yield f"{where}: capabilities.drop must have ALL"
    added: Sequence[Any] = [name for name in entries(capabilities.get("add")) if name != "NET_BIND_SERVICE"]
    if added:
        yield f"{where} adds the capabilities {', '.join(map(str, added))}"
    seccomp = (own.get("seccompProfile") or of_pod.get("seccompProfile") or {}).get("type")
    if seccomp not in {"RuntimeDefault", "Localhost"}:
        yield f"{where}: seccompProfile.type must be RuntimeDefault"
