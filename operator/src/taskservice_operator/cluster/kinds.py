"""The kinds we read and write: where they live in the API, and which of them are ours to own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api import names

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One namespaced resource of the API server."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of its subresource; no namespace: of all namespaces."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        parts = [root + self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        return "/".join(part for part in (*parts, self.plural, name, subresource) if part)


TASKSERVICE = Kind(names.API_VERSION, names.KIND, names.PLURAL)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CONTROLLER_REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
PROMETHEUS_RULE = Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

OWNED = (
    DEPLOYMENT,
    SERVICE,
    AUTOSCALER,
    CONFIG_MAP,
    SECRET,
    CONTROLLER_REVISION,
    DISRUPTION_BUDGET,
)
"""What a TaskService may own directly: it is the controller in their ``ownerReferences``."""

OPTIONAL = (PROMETHEUS_RULE,)
"""What a TaskService may own where the cluster has the kind.  It is listed and not watched: a watch of a kind that may
come and go is not worth what such an object is, and the resync mends it."""

DEPENDENT = (POD, ENDPOINT_SLICE)
"""What others make of owned objects; it carries our labels and is only read."""

DECIDING = (DEPLOYMENT, SERVICE, POD, ENDPOINT_SLICE)
"""What decides whether traffic may move and what may go: read anew before anything that cannot be taken back."""

SOURCES = (CONFIG_MAP, SECRET)
"""What a TaskService may refer to although somebody else owns it."""

WATCHED = (TASKSERVICE, *OWNED, *DEPENDENT)

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in (*WATCHED, *OPTIONAL, EVENT, LEASE)}


def kind_of(api_version: str, kind: str) -> Kind:
    """The entry for a manifest's ``apiVersion`` and ``kind``.  Raises KeyError for one we do not handle."""
    return _BY_NAME[api_version, kind]


def controller_uid(manifest: Manifest) -> str | None:
    """The UID of the object that controls this one."""
    reference = _controller(manifest)
    return reference["uid"] if reference else None


def owner_name(manifest: Manifest) -> str | None:
    """The name of the TaskService an object belongs to: by its controller, else by our label."""
    metadata = manifest.get("metadata") or {}
    labels = metadata.get("labels") or {}
    reference = _controller(manifest)
    if reference and reference.get("kind") == names.KIND:
        group = reference.get("apiVersion", "").partition("/")[0]
        return reference["name"] if group == names.GROUP else None
    if labels.get(names.LABEL_MANAGED_BY) != names.MANAGED_BY:
        return None
    return labels.get(names.LABEL_OWNER)


def owned_selector(name: str) -> str:
    """The label selector of everything that belongs to the TaskService ``name``."""
    return f"{names.MANAGED_SELECTOR},{names.LABEL_OWNER}={name}"


def _controller(manifest: Manifest) -> Manifest | None:
    references = (manifest.get("metadata") or {}).get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)
