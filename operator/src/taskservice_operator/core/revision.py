"""From spec and referenced contents to the wanted revision: ``hash(pod template + resolved config + autoscaling)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api.spec import ConfigSource, InvalidSpec, Spec, parse_spec
from taskservice_operator.core.model import Manifest, Note, Snapshot
from taskservice_operator.render.identity import digest


@dataclass(frozen=True)
class Blocked:
    """The one object that keeps us from going on, for ``status.blockedOn``."""

    kind: str
    name: str
    note: Note


@dataclass(frozen=True)
class Wanted:
    """The revision that the spec asks for.  ``contents``: resolved data by entry name (secrets base64)."""

    revision: str
    template: Mapping[str, Any]
    autoscaling: Mapping[str, Any] | None
    sources: tuple[ConfigSource, ...]
    contents: Mapping[str, Mapping[str, str]]


def references(taskservice: Manifest) -> frozenset[tuple[str, str]]:
    """The ConfigMaps and Secrets that a TaskService names, as ``(kind, name)``; a bad spec names none."""
    try:
        spec = parse_spec(taskservice.get("spec") or {})
    except (InvalidSpec, KeyError, TypeError, ValueError, AttributeError):
        return frozenset()
    return frozenset((_kind(source), source.ref) for source in spec.sources if source.ref)


def resolve(spec: Spec, raw: Mapping[str, Any], snapshot: Snapshot) -> Wanted | Blocked:
    """The wanted revision, or what is missing to know it."""
    contents: dict[str, Mapping[str, str]] = {}
    for source in spec.sources:
        if source.ref is None:
            contents[source.name] = {key: str(value) for key, value in (source.data or {}).items()}
            continue
        data = snapshot.sources.get((_kind(source), source.ref))
        if data is None:
            field = "secrets" if source.secret else "config"
            return Blocked(
                _kind(source),
                source.ref,
                Note(
                    "SourceMissing",
                    f"{_kind(source)} {source.ref!r} named in spec.{field} ({source.name}) does not exist in namespace "
                    f"{snapshot.taskservice['metadata']['namespace']!r}: create it or correct the reference",
                    warning=True,
                ),
            )
        contents[source.name] = data
    autoscaling = raw.get("autoscaling") or None
    identity = {
        "template": dict(spec.template),
        "autoscaling": autoscaling,
        "sources": [
            [source.name, source.secret, source.mount_path, dict(contents[source.name])] for source in spec.sources
        ],
    }
    return Wanted(digest(identity), spec.template, autoscaling, spec.sources, contents)


def _kind(source: ConfigSource) -> str:
    return "Secret" if source.secret else "ConfigMap"
