"""Resources that every rule of the policy allows, to be spoilt one property at a time.

spoilt(a_deployment(), "spec.template.spec.hostNetwork", True)
"""

from __future__ import annotations

import copy
from typing import Any

from taskservice_infra.policy.model import Resource

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.example/web@{DIGEST}"
REMOVED = object()
"""Given as a value, removes the property."""


def a_resource(type_: str, **properties: Any) -> Resource:
    return Resource(type_, "subject", properties)


def a_deployment() -> Resource:
    container = {
        "name": "web",
        "image": IMAGE,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return a_resource("kubernetes:apps/v1:Deployment", spec={"template": {"spec": pod}})


def a_release(**values: Any) -> Resource:
    return a_resource(
        "kubernetes:helm.sh/v3:Release",
        chart="vault",
        version="0.34.1",
        repositoryOpts={"repo": "https://charts.example"},
        values=values,
    )


def a_service(kind: str = "LoadBalancer", port: int = 443, ranges: tuple[str, ...] = ("203.0.113.0/24",)) -> Resource:
    spec: dict[str, Any] = {"type": kind, "ports": [{"port": port}]}
    if ranges:
        spec["loadBalancerSourceRanges"] = list(ranges)
    return a_resource("kubernetes:core/v1:Service", spec=spec)


def spoilt(resource: Resource, path: str, value: Any) -> Resource:
    """The resource with another value at a dotted path; numbers in it are places of a list."""
    properties = copy.deepcopy(dict(resource.properties))
    *way, last = path.split(".")
    node: Any = properties
    for step in way:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if value is REMOVED:
        del node[last]
    elif isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    return Resource(resource.type, resource.name, properties)
