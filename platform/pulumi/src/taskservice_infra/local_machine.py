"""The seam to ``platform/local``: a cluster on this machine, and the images and charts that this machine builds.

The only module that knows ``taskservice_local``.  Programs take a :class:`LocalMachine`, tests give another one.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Protocol

from taskservice_infra.errors import PlatformError
from taskservice_infra.kubeconfigs import Access, current_context, expect_answer
from taskservice_local import builder, chooser, image_catalogue
from taskservice_local.errors import LocalError
from taskservice_local.locks import only_one
from taskservice_local.machine import Machine
from taskservice_local.parts import Part, part_named
from taskservice_local.paths import CHECKOUT, ClusterPaths, cache_root, state_root

_FILLED = {"GatewayImagePullPolicy": "IfNotPresent", "GatewayImage": "docker.io/envoyproxy/gateway:v1.9.0"}
"""What Envoy Gateway's charts leave open; settings replace the image."""


def without_descriptions(definitions: str) -> str:
    """Definitions of resources without the texts of their fields, which are two thirds of them.

    Each run compares every definition with the state and with the cluster, so their length is time.  Line by line,
    because these are templates; a field that is called ``description`` has no text on its own line and stays.
    """
    kept: list[str] = []
    deeper_than: int | None = None
    for line in definitions.splitlines(keepends=True):
        depth = len(line) - len(line.lstrip())
        if deeper_than is not None and (not line.strip() or depth > deeper_than):
            continue
        deeper_than = depth if re.match(r"\s*description: \S", line) else None
        if deeper_than is None:
            kept.append(line)
    return "".join(kept)


class LocalMachine(Protocol):
    """What programs ask of the machine that they run on.  Every method raises PlatformError with what to do."""

    def up(self, kind: str | None) -> Access:
        """Bring the cluster up, or mend it; ``kind``: ``built`` or ``kind``, None for the best that can be had."""
        ...

    def access(self) -> Access | None:
        """The cluster as it is up now, or None."""
        ...

    def down(self) -> None:
        """Remove the cluster; nothing of it is left."""
        ...

    def image(self, name: str) -> str:
        """Build an image of the catalogue, load it where the cluster is up, and return its reference."""
        ...

    def chart(self, name: str) -> str:
        """The folder of a chart: one of ``charts/``, or one that came with a built part (``part/folder``)."""
        ...

    def pod_logs(self) -> str:
        """The folder of a node in which the logs of its pods are."""
        ...

    def text(self, path: str) -> str:
        """The text of a file of this checkout, by its path in it."""
        ...

    def state(self, stack: str) -> Path:
        """The folder for the state of a stack; that of ``local`` goes with the cluster."""
        ...

    def cache(self) -> Path:
        """The folder of everything that can be built again."""
        ...

    def alone(self, lock: Path, doing: str) -> AbstractContextManager[None]:
        """Hold a lock file, waiting for whoever holds it; a process that ends, however it does, lets go of it."""
        ...

    def program(self, name: str) -> str:
        """The path of a program that this machine builds, built when absent."""
        ...


class ThisMachine:
    """The real one."""

    def __init__(self) -> None:
        self._up: Access | None = None
        self._images: dict[str, str] = {}

    @cached_property
    def paths(self) -> ClusterPaths:
        return ClusterPaths.of()

    def up(self, kind: str | None) -> Access:
        """See :class:`LocalMachine`.  Done once in a process."""
        if self._up is None:
            try:
                env = {**os.environ, **({"CLUSTER": kind} if kind else {})}
                chosen, _ = chooser.choose(env, Machine(), chooser.recorded_kind(self.paths))
                chooser.record_kind(self.paths, chosen)
                chooser.KINDS[chosen](self.paths).up()
            except LocalError as problem:
                raise PlatformError(f"cluster: {problem}") from problem
            self._up = self._access()
        return self._up

    def access(self) -> Access | None:
        kind = chooser.recorded_kind(self.paths)
        if kind is None or not self.paths.kubeconfig.exists():
            return None
        access = self._access()
        try:
            expect_answer(access, shutil.which("kubectl") or self.program("kubectl"))
        except PlatformError:
            return None
        return access

    def down(self) -> None:
        kind = chooser.recorded_kind(self.paths)
        if kind is None:
            return
        try:
            chooser.KINDS[kind](self.paths).down()
        except LocalError as problem:
            raise PlatformError(f"cluster: {problem}") from problem
        self._up = None

    def image(self, name: str) -> str:
        if name not in image_catalogue.names():
            known = ", ".join(image_catalogue.names())
            raise PlatformError(f"local:{name} is no image that this machine builds; there are {known}.")
        if name not in self._images:
            try:
                image = image_catalogue.ensure(name)
                kind = chooser.recorded_kind(self.paths)
                if kind is not None and self.paths.kubeconfig.exists():
                    chooser.KINDS[kind](self.paths).load(image.archive)
            except LocalError as problem:
                raise PlatformError(f"image local:{name}: {problem}") from problem
            self._images[name] = image.reference
        return self._images[name]

    def chart(self, name: str) -> str:
        part, _, folder = name.partition("/")
        if not folder:
            return str(CHECKOUT / "charts" / name)
        try:
            builder.build((part_named(part),))
            return str(self._completed(part_named(part), folder))
        except LocalError as problem:
            raise PlatformError(f"chart {name}: {problem}") from problem

    def pod_logs(self) -> str:
        # The node that is built from source shares this machine's file system, and keeps its logs in its own state.
        own = chooser.recorded_kind(self.paths) == "built"
        return str(self.paths.state / "pod-logs") if own else "/var/log/pods"

    def text(self, path: str) -> str:
        try:
            return (CHECKOUT / path).read_text(encoding="utf-8")
        except OSError as problem:
            raise PlatformError(
                f"{path} cannot be read ({problem.strerror}): run `make gen` in the checkout."
            ) from problem

    def _completed(self, part: Part, folder: str) -> Path:
        """A chart as its project publishes it: with the defaults that it fills in only then."""
        kept = part.kept(folder)
        template = kept / "values.tmpl.yaml"
        if not template.exists():
            return kept
        place = self.cache() / "pulumi" / f"chart-{part.name}-{part.fingerprint}-{kept.name}"
        shutil.copytree(kept, place, dirs_exist_ok=True)
        filled = re.sub(r"\$\{(\w+)\}", lambda found: _FILLED.get(found[1], found[0]), template.read_text())
        (place / "values.yaml").write_text(filled)
        for file in place.glob("templates/**/*.yaml"):
            file.write_text(without_descriptions(file.read_text()))
        return place

    def state(self, stack: str) -> Path:
        return self.paths.state / "pulumi" if stack == "local" else state_root() / "stacks" / stack

    def cache(self) -> Path:
        return cache_root()

    def alone(self, lock: Path, doing: str) -> AbstractContextManager[None]:
        return only_one(lock, doing)

    def program(self, name: str) -> str:
        try:
            return str(builder.ensure_binary(name))
        except LocalError as problem:
            raise PlatformError(f"program {name}: {problem}") from problem

    def _access(self) -> Access:
        return Access(str(self.paths.kubeconfig), current_context(self.paths.kubeconfig))
