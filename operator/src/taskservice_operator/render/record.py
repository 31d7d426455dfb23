"""The ControllerRevision: the stored form of a revision, from which its objects can be rendered at any later time.

``apps/v1 ControllerRevision`` is Kubernetes' own kind for immutable snapshots (its ``data`` cannot be changed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api.spec import ConfigSource
from taskservice_operator.render.identity import Owner

COLOURS = ("blue", "green")


@dataclass(frozen=True)
class Record:
    """What a revision is: pod-shaping fields, autoscaling as given, config entries (contents live in copies).

    ``rendered``: its pods' template as it was written when the revision was made, and by which version of the operator;
    None in records older than this field.
    """

    revision: str
    template: Mapping[str, Any]
    autoscaling: Mapping[str, Any] | None
    sources: tuple[ConfigSource, ...]
    colour: str
    number: int
    rendered: Mapping[str, Any] | None = None
    rendered_by: str | None = None

    @property
    def image(self) -> str:
        return self.template.get("image", "")


def build_record(owner: Owner, record: Record) -> dict[str, Any]:
    """The ControllerRevision that stores ``record``."""
    data: dict[str, Any] = {
        "template": dict(record.template),
        "sources": [
            {
                "name": source.name,
                "secret": source.secret,
                **({"mountPath": source.mount_path} if source.mount_path else {}),
            }
            for source in record.sources
        ],
        "colour": record.colour,
    }
    if record.autoscaling:
        data["autoscaling"] = dict(record.autoscaling)
    if record.rendered is not None:
        data |= {"rendered": dict(record.rendered), "renderedBy": record.rendered_by}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": owner.metadata(owner.child(record.revision), record.revision, record.colour),
        "revision": record.number,
        "data": data,
    }


def parse_record(revision: str, manifest: Mapping[str, Any]) -> Record:
    """The inverse of :func:`build_record`."""
    data = manifest["data"]
    return Record(
        revision=revision,
        template=data["template"],
        autoscaling=data.get("autoscaling"),
        sources=tuple(
            ConfigSource(name=entry["name"], mount_path=entry.get("mountPath"), secret=entry["secret"])
            for entry in data.get("sources") or ()
        ),
        colour=data["colour"],
        number=manifest["revision"],
        rendered=data.get("rendered"),
        rendered_by=data.get("renderedBy"),
    )
