"""Names, labels and ownership of everything we create for one TaskService."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskservice_operator.api import names

REVISION_LENGTH = 10


@dataclass(frozen=True)
class Owner:
    """The TaskService that owns what is rendered."""

    name: str
    namespace: str
    uid: str

    @staticmethod
    def of(taskservice: Mapping[str, Any]) -> Owner:
        metadata = taskservice["metadata"]
        return Owner(metadata["name"], metadata["namespace"], metadata["uid"])

    def child(self, revision: str) -> str:
        """``<name>-<revision>``: Deployment, HPA and ControllerRevision of a revision."""
        return f"{self.name}-{revision}"

    def copy(self, revision: str, source: str) -> str:
        """The immutable copy of one config or secret entry."""
        return f"{self.name}-{revision}-{source}"

    @property
    def preview(self) -> str:
        return f"{self.name}-preview"

    def labels(self, revision: str | None = None, colour: str | None = None) -> dict[str, str]:
        labels = {
            names.LABEL_NAME: self.name,
            names.LABEL_MANAGED_BY: names.MANAGED_BY,
            names.LABEL_OWNER: self.name,
        }
        if revision:
            labels[names.LABEL_REVISION] = revision
        if colour:
            labels[names.LABEL_COLOUR] = colour
        return labels

    def selector(self, revision: str | None = None) -> dict[str, str]:
        """The least set of labels that says: pods of this revision (or of any) of this TaskService."""
        return {names.LABEL_OWNER: self.name} | ({names.LABEL_REVISION: revision} if revision else {})

    def metadata(self, name: str, revision: str | None = None, colour: str | None = None) -> dict[str, Any]:
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": self.labels(revision, colour),
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }

    def owns(self, manifest: Mapping[str, Any]) -> bool:
        """True when the object's controller is this very TaskService (same UID, not only the same name)."""
        references = manifest.get("metadata", {}).get("ownerReferences") or ()
        return any(reference.get("controller") and reference.get("uid") == self.uid for reference in references)


def revision_of(manifest: Mapping[str, Any]) -> str | None:
    """The revision an owned object belongs to, None for those shared by all revisions."""
    return (manifest["metadata"].get("labels") or {}).get(names.LABEL_REVISION)


def digest(value: Any) -> str:
    """A short stable hash of a JSON value: equal values in any key order give equal digests."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:REVISION_LENGTH]
