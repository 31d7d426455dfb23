"""Wheelhouses: everything a requirements file names, downloaded once, every hash checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

from taskservice_local import machine
from taskservice_local.commands import run
from taskservice_local.errors import LocalError
from taskservice_local.locks import only_one
from taskservice_local.paths import cache_root
from taskservice_local.progress import step

PYTHON = (3, 11)  # of the images
PIP = machine.Need("pip", "pip3", "python3-pip", "downloads wheels")


def ensure(requirements: Path) -> Path:
    """Return the folder of all wheels that a hash-pinned requirements file names.

    Raises LocalError when the file is absent, or a wheel is missing or is not the one that was pinned.
    """
    if not requirements.exists():
        raise LocalError(f"{requirements.name} is missing in {requirements.parent}; lock the requirements first.")
    key = hashlib.sha256(requirements.read_bytes() + _target_key().encode()).hexdigest()[:16]
    folder = cache_root() / "wheels" / key
    if folder.exists():
        return folder
    if importlib.util.find_spec("pip") is None:
        machine.install((PIP,), machine.Machine())
    with only_one(cache_root() / "locks" / f"wheels-{key}.lock", "downloading wheels"):
        if not folder.exists():
            _download(requirements, folder)
    return folder


def _download(requirements: Path, folder: Path) -> None:
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    with step(f"downloading the wheels of {requirements.name}", lambda: f"{len(os.listdir(partial))} so far"):
        run([*pip, "--require-hashes", "--only-binary=:all:", *_target(), "--dest", partial, "-r", requirements])
    partial.rename(folder)


def _target() -> list[str]:
    """Return pip's words for the images' Python, where it is not the one that runs here."""
    if sys.version_info[:2] == PYTHON and platform.system() == "Linux":
        return []
    arch = "aarch64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    words = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
    for glibc in ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_31", "manylinux_2_34"):
        words += ["--platform", f"{glibc}_{arch}"]
    return words


def _target_key() -> str:
    return f"{platform.machine()} {PYTHON}"
