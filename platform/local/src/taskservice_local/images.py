"""Building images from Containerfiles, without a network and only when something changed.

By buildah on the local base images; by Docker where Docker answers, on the upstream bases the Containerfiles name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taskservice_local import machine
from taskservice_local.commands import run
from taskservice_local.paths import cache_root
from taskservice_local.progress import step

KEPT_ARCHIVES = 6
# Left out of every context: made by tools, different on each machine.
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*", "build", "dist", "node_modules")


@dataclass(frozen=True)
class Image:
    """A finished image: its full name, and the archive that holds it."""

    reference: str
    archive: Path


def stage(context: Path, sources: Iterable[Path], wheels: Path | None) -> None:
    """Fill an empty folder `context` with copies of the source folders and, as `wheels/`, of a wheelhouse."""
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    for source in sources:
        shutil.copytree(source, context / source.name, ignore=IGNORED)
    if wheels is not None:
        # The same file system, and nothing is written to them: links are enough.
        shutil.copytree(wheels, context / "wheels", copy_function=os.link)


def content_hash(containerfile: Path, context: Path, build_args: dict[str, str]) -> str:
    """Return twelve hex digits over everything that decides what the image is; times of files do not count."""
    digest = hashlib.sha256(containerfile.read_bytes())
    for key in sorted(build_args):
        digest.update(f"\0{key}={build_args[key]}".encode())
    for path in sorted(context.rglob("*")):
        if path.is_file():
            mode = path.stat().st_mode & 0o111
            digest.update(f"\0{path.relative_to(context)}\0{mode}\0".encode())
            with path.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]


def build_image(name: str, containerfile: Path, context: Path, tag: str, build_args: dict[str, str]) -> Path:
    """Build an image under the full name `tag` and return its archive; does nothing when the content is unchanged.

    Raises LocalError when the build fails.
    """
    key = content_hash(containerfile, context, {**build_args, "": tag})
    archive = cache_root() / "images" / name / f"{key}.tar"
    if archive.exists():
        os.utime(archive, ns=(time.time_ns(), archive.stat().st_mtime_ns))  # in use: see _prune
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".partial-{key}.tar")
    partial.unlink(missing_ok=True)
    arguments = [f"--build-arg={key}={value}" for key, value in sorted(build_args.items())]
    with step(f"building image {tag}"):
        if machine.Machine().docker_answers():
            run(["docker", "build", *arguments, "--tag", tag, "--file", containerfile, context], timeout=1800)
            run(["docker", "save", "--output", partial, tag])
        else:
            machine.install(machine.IMAGE_NEEDS, machine.Machine())
            build = ["bud", "--isolation=chroot", "--pull-never", "--timestamp=0", "--format=docker", *arguments]
            run([*buildah(), *build, "--tag", tag, "--file", containerfile, context], timeout=1800)
            run([*buildah(), "push", "--quiet", tag, f"docker-archive:{partial}:{tag}"])
            run([*buildah(), "rmi", tag])  # the archive is what counts
    partial.rename(archive)
    _prune(archive.parent)
    return archive


def _prune(folder: Path) -> None:
    """Keep the archives used last; each edit of a source makes another one of hundreds of megabytes."""
    archives = sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_atime, reverse=True)
    for archive in archives[KEPT_ARCHIVES:]:
        archive.unlink(missing_ok=True)


def import_base(archive: Path, reference: str) -> None:
    """Have buildah know a base image under its full name."""
    known = run([*buildah(), "images", "--format={{.Name}}:{{.Tag}}"]).split()
    if reference not in known:
        run([*buildah(), "pull", "--quiet", f"docker-archive:{archive}:{reference}"])


def buildah() -> list[str | Path]:
    """Return buildah on a storage of its own: the images of the machine's user are not touched."""
    return ["buildah", f"--root={cache_root()}/buildah", "--runroot=/run/taskservice/buildah"]
