"""The Deployment of one revision, with defaults shaped for a FastAPI service under restricted Pod Security.

The template of a revision's pods is rendered once, when the revision is made, and kept in its record: another version
of the operator may render others differently, and must not restart pods that run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from taskservice_operator import __version__
from taskservice_operator.api import names
from taskservice_operator.api.spec import DEFAULT_PORT, ConfigSource
from taskservice_operator.render.identity import Owner
from taskservice_operator.render.overlay import overlay
from taskservice_operator.render.record import Record

CONTAINER = "app"
PRE_STOP_SLEEP_SECONDS = 5
"""Time for every proxy to stop sending before the process is told to end: endpoint removal races with SIGTERM."""
TERMINATION_GRACE_SECONDS = 45
"""The sleep above, plus the server's own graceful shutdown (25 s), plus slack."""
SECONDS_TO_START = 300
"""For a process to answer for the first time: more than a busy node takes, less than a release waits by default."""


RENDERED_BY = f"{names.GROUP}/rendered-by"
"""Annotation of a Deployment: the version of the operator that rendered its pods' template."""


def build_deployment(owner: Owner, record: Record, replicas: int | None) -> dict[str, Any]:
    """The Deployment of ``record``.  ``replicas`` None leaves the field to whoever owns it (an autoscaler)."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": owner.selector(record.revision)},
        "revisionHistoryLimit": 0,
        "template": record.rendered or _render(owner, record),
    }
    if replicas is not None:
        spec["replicas"] = replicas
    metadata = owner.metadata(owner.child(record.revision), record.revision, record.colour)
    if record.rendered_by:
        metadata["annotations"] = {RENDERED_BY: record.rendered_by}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def render_once(owner: Owner, record: Record, existing: Mapping[str, Any] | None = None) -> Record:
    """``record`` with the template of its pods, which it keeps from now on.

    ``existing``: a Deployment of this revision that has outlived its record.  One of another version of the operator
    is taken at its word, because to render it anew would restart its pods.
    """
    if existing is not None:
        by = (existing["metadata"].get("annotations") or {}).get(RENDERED_BY)
        if by not in (None, __version__):
            return replace(record, rendered=existing["spec"]["template"], rendered_by=by)
    return replace(record, rendered=_render(owner, record), rendered_by=__version__)


def _render(owner: Owner, record: Record) -> dict[str, Any]:
    labels = owner.labels(record.revision, record.colour)
    return overlay(
        {"metadata": {"labels": labels}, "spec": _pod_spec(owner, record)},
        _protected(record.template.get("podTemplate") or {}),
    )


def _protected(patch: Any) -> Any:
    """The overlay without what would take pods from behind their Service: our labels, or all metadata or containers."""
    ours = {names.LABEL_OWNER, names.LABEL_REVISION, names.LABEL_COLOUR, names.LABEL_MANAGED_BY}
    metadata, spec = dict(patch.get("metadata") or {}), dict(patch.get("spec") or {})
    metadata["labels"] = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in ours}
    if not spec.get("containers"):
        spec.pop("containers", None)
    return {"metadata": metadata, "spec": spec}


def _pod_spec(owner: Owner, record: Record) -> dict[str, Any]:
    template = record.template
    pod: dict[str, Any] = {
        "automountServiceAccountToken": bool(template.get("serviceAccountName")),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": owner.selector(record.revision)},
            }
        ],
        "containers": [_container(owner, record)],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *(_volume(owner, record, s) for s in _mounted(record))],
    }
    for field in ("serviceAccountName", "imagePullSecrets"):
        if template.get(field):
            pod[field] = template[field]
    return pod


def _container(owner: Owner, record: Record) -> dict[str, Any]:
    template = record.template
    port, management = template.get("port", DEFAULT_PORT), template.get("managementPort")
    ports = [{"name": "http", "containerPort": port, "protocol": "TCP"}]
    if management:
        ports.append({"name": "management", "containerPort": management, "protocol": "TCP"})
    for further in template.get("ports") or ():
        if further["name"] != "management":
            ports.append({"name": further["name"], "containerPort": further["port"], "protocol": "TCP"})
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": template["image"],
        "ports": ports,
        "env": _environment(record, template),
        "envFrom": [*(template.get("envFrom") or ()), *(_env_from(owner, record, s) for s in _injected(record))],
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a path in the container, not here
            *({"name": _volume_name(s), "mountPath": s.mount_path, "readOnly": True} for s in _mounted(record)),
        ],
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SLEEP_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **_probes(template, port, management),
    }
    for field in ("imagePullPolicy", "command", "args", "resources"):
        if template.get(field):
            container[field] = template[field]
    if not container["envFrom"]:
        del container["envFrom"]
    return container


def _environment(record: Record, template: Any) -> list[Any]:
    """Our own variables first, so that a user's of the same name wins by taking their place."""
    given = {entry["name"]: entry for entry in template.get("env") or ()}
    ours = [
        {"name": "TASKSERVICE_REVISION", "value": record.revision},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
    ]
    return [entry for entry in ours if entry["name"] not in given] + list(given.values())


def _probes(template: Any, port: int, management: int | None) -> dict[str, Any]:
    given = template.get("probes") or {}
    probes = {f"{kind}Probe": probe for kind, probe in given.items() if probe}
    if "readinessProbe" not in probes:
        target = {"httpGet": {"path": "/readyz", "port": management}} if management else {"tcpSocket": {"port": port}}
        probes["readinessProbe"] = {**target, "periodSeconds": 2, "failureThreshold": 2, "timeoutSeconds": 2}
    if "livenessProbe" not in probes and management:
        alive = {"httpGet": {"path": "/livez", "port": management}, "timeoutSeconds": 5}
        probes["livenessProbe"] = {**alive, "periodSeconds": 10, "failureThreshold": 3}
        # Liveness would take a process that has not begun to listen for one that hangs.  Whoever gives a liveness
        # probe of their own has chosen its patience, too.
        probes.setdefault("startupProbe", {**alive, "periodSeconds": 1, "failureThreshold": SECONDS_TO_START})
    return probes


def _injected(record: Record) -> list[ConfigSource]:
    return [source for source in record.sources if not source.mount_path]


def _mounted(record: Record) -> list[ConfigSource]:
    return [source for source in record.sources if source.mount_path]


def _env_from(owner: Owner, record: Record, source: ConfigSource) -> dict[str, Any]:
    name = owner.copy(record.revision, source.name)
    return {"secretRef": {"name": name}} if source.secret else {"configMapRef": {"name": name}}


def _volume_name(source: ConfigSource) -> str:
    return f"{'secret' if source.secret else 'config'}-{source.name}"


def _volume(owner: Owner, record: Record, source: ConfigSource) -> dict[str, Any]:
    name = owner.copy(record.revision, source.name)
    content = {"secret": {"secretName": name}} if source.secret else {"configMap": {"name": name}}
    return {"name": _volume_name(source), **content}
