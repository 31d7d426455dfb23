"""Images of the catalogue on the cluster that is up: one call builds what is missing and loads what is not there."""

from __future__ import annotations

import shutil

from taskservice_local import builder, image_catalogue
from taskservice_local.chooser import KINDS, recorded_kind
from taskservice_local.errors import LocalError
from taskservice_local.kubectl import Kubectl
from taskservice_local.paths import ClusterPaths
from taskservice_local.progress import step


def load_images(*names: str, paths: ClusterPaths | None = None) -> dict[str, str]:
    """Build these images of the catalogue and load them; return their full references by name.

    Without `paths`, into the cluster that TASKSERVICE_CLUSTER names.
    Raises LocalError when no such cluster is up, there is no such image, or one cannot be built.
    """
    paths = paths or ClusterPaths.of()
    kind = kind_of(paths)
    cluster = KINDS[kind](paths)
    present = present_images(kubectl_for(paths, kind)) if kind == "current" else frozenset[str]()
    references: dict[str, str] = {}
    for name in names:
        with step(f"image {name}"):
            image = image_catalogue.ensure(name)
            # Only load() knows whether a fixed name still means this archive; an existing cluster has its registry.
            if image.reference not in present:
                cluster.load(image.archive)
        references[name] = image.reference
    return references


def kind_of(paths: ClusterPaths) -> str:
    """Return what kind of cluster is up under this name. Raises LocalError when none is."""
    kind = recorded_kind(paths)
    if kind is None:
        raise LocalError(f"There is no cluster {paths.name}: run `make cluster` first.")
    return kind


def kubectl_for(paths: ClusterPaths, kind: str) -> Kubectl:
    """Return a kubectl for the cluster: one that we did not build may come without our own, and the user's will do."""
    own = None if kind == "built" else shutil.which("kubectl") or builder.ensure_binary("kubectl")
    return Kubectl(paths.kubeconfig, own)


def present_images(kubectl: Kubectl) -> frozenset[str]:
    """Return every name under which the nodes have an image."""
    nodes = kubectl.get("nodes") or {"items": []}
    return frozenset(
        name
        for node in nodes["items"]
        for image in node.get("status", {}).get("images", [])
        for name in image.get("names") or ()
    )
