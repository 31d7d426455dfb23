"""Images of one layer (a program, or a root file system), written as a docker-archive without any tool.

The same content gives the same bytes every time.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

EPOCH = "1970-01-01T00:00:00Z"


def write_program_image(
    binary: Path, reference: str, architecture: str, user: str, archive: Path, folder: str = ""
) -> None:
    """Write an image that holds nothing but `binary`, in `folder`, and starts it; `archive` appears as a whole."""
    place = f"{folder}/{binary.name}".lstrip("/")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, place, binary.read_bytes(), 0o755)
    settings: dict[str, object] = {"Entrypoint": [f"/{place}"], "User": user, "WorkingDir": "/"}
    if folder:
        settings["Env"] = [f"PATH=/{folder}"]
    _write(layer, [reference], architecture, settings, archive)


def write_rootfs_image(rootfs: Path, references: list[str], architecture: str, archive: Path) -> None:
    """Write an image whose only layer is the tar file `rootfs`; `archive` appears as a whole."""
    with rootfs.open("rb") as layer:
        _write(layer, references, architecture, {"Cmd": ["/bin/sh"], "WorkingDir": "/"}, archive)


def _write(
    layer: io.BytesIO | io.BufferedReader,
    references: list[str],
    architecture: str,
    settings: dict[str, object],
    archive: Path,
) -> None:
    layer.seek(0)
    diff = "sha256:" + hashlib.file_digest(layer, "sha256").hexdigest()
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [diff]},
        "history": [{"created": EPOCH, "created_by": "taskservice-local"}],
    }
    encoded = json.dumps(config).encode()
    name = hashlib.sha256(encoded).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": references, "Layers": ["layer.tar"]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".{archive.name}.partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, name, encoded, 0o644)
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
        entry = tarfile.TarInfo("layer.tar")
        entry.mode, entry.size = 0o644, layer.seek(0, io.SEEK_END)
        layer.seek(0)
        tar.addfile(entry, layer)
    partial.replace(archive)


def references_in(archive: Path) -> list[str]:
    """Return the names of the images in a docker-archive; none for a file that is no such archive."""
    try:
        with tarfile.open(archive) as tar:
            manifest = tar.extractfile("manifest.json")
            entries = json.load(manifest) if manifest else []
    except (tarfile.TarError, KeyError):
        return []
    return [tag for entry in entries for tag in entry["RepoTags"] or []]


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
