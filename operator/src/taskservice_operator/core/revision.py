"""From spec and referenced contents to the wanted revision: ``hash(pod template + resolved config + autoscaling)``.

A secret that Vault does not give at the moment is no reason to change what is on record: while the spec asks for what
it asked for before, the copies made then answer in its place.  Whatever is new waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api.spec import ConfigSource, InvalidSpec, Spec, parse_spec
from taskservice_operator.core import vaulted
from taskservice_operator.core.model import Manifest, Note, ObjectKey, Snapshot
from taskservice_operator.render.identity import Owner, digest


@dataclass(frozen=True)
class Blocked:
    """The one object that keeps us from going on, for ``status.blockedOn``.  ``passing``: it may end by itself."""

    kind: str
    name: str
    note: Note
    passing: bool = False


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
        if source.vault is not None:
            continue
        if source.ref is None:
            contents[source.name] = {key: str(value) for key, value in (source.data or {}).items()}
            continue
        data = snapshot.sources.get((_kind(source), source.ref))
        if data is None:
            return _missing(source, snapshot)
        contents[source.name] = data
    reading = vaulted.read(spec, snapshot)
    wanted = _recorded(spec, raw, snapshot, contents, reading) if reading.troubles else None
    if wanted is not None:
        return wanted
    if reading.worst is not None:
        source, note = reading.worst
        name = f"{source.vault.mount}/{source.vault.path}" if source.vault else source.name
        return Blocked("VaultSecret", name, note, passing=note.reason in vaulted.PASSING)
    return _wanted(spec, raw, {**contents, **reading.contents})


def _recorded(
    spec: Spec,
    raw: Mapping[str, Any],
    snapshot: Snapshot,
    contents: Mapping[str, Mapping[str, str]],
    reading: vaulted.Reading,
) -> Wanted | None:
    """The revision that was wanted before, if with its own copies the spec still asks for that and nothing else."""
    owner = Owner.of(snapshot.taskservice)
    before = ((snapshot.taskservice.get("status") or {}).get("revisions") or {}).get("wanted")
    copies: dict[str, Mapping[str, str]] = {}
    for source, _ in reading.troubles:
        copy = snapshot.objects.get(ObjectKey("v1", "Secret", owner.copy(before or "", source.name)))
        if copy is None:
            return None
        copies[source.name] = copy.get("data") or {}
    wanted = _wanted(spec, raw, {**contents, **reading.contents, **copies})
    return wanted if wanted.revision == before else None


def _wanted(spec: Spec, raw: Mapping[str, Any], contents: Mapping[str, Mapping[str, str]]) -> Wanted:
    autoscaling = raw.get("autoscaling") or None
    identity = {
        "template": dict(spec.template),
        "autoscaling": autoscaling,
        "sources": [
            [source.name, source.secret, source.mount_path, dict(contents[source.name]), *_origin(source)]
            for source in spec.sources
        ],
    }
    return Wanted(digest(identity), spec.template, autoscaling, spec.sources, contents)


def _origin(source: ConfigSource) -> list[Any]:
    """Where in Vault: another place is another revision, as what was read from the one says nothing of the other."""
    vault = source.vault
    return [[vault.mount, vault.path, vault.role, vault.key]] if vault else []


def _missing(source: ConfigSource, snapshot: Snapshot) -> Blocked:
    field = "secrets" if source.secret else "config"
    message = (
        f"{_kind(source)} {source.ref!r} named in spec.{field} ({source.name}) does not exist in namespace "
        f"{snapshot.taskservice['metadata']['namespace']!r}: create it or correct the reference"
    )
    return Blocked(_kind(source), source.ref or "", Note("SourceMissing", message, warning=True))


def _kind(source: ConfigSource) -> str:
    return "Secret" if source.secret else "ConfigMap"
