"""Make a virtual environment, once per lock file, outside the checkout; print its path.

    python3 ci/scripts/environment.py            prints the path of the environment for requirements/dev.txt
    python3 ci/scripts/environment.py infra      the same for requirements/infra.txt, which cannot be one with dev.txt
    python3 ci/scripts/environment.py clouds     infra.txt and the clouds' packages, for tests of eks, gke and aks

Standard library only.  Packages are installed by hash.  A half-made environment is never used: it is built aside
and renamed into place.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ABOUT = {
    "dev": "development environment",
    "operator": "operator's environment",
    "infra": "environment of the platform's programs",
    "clouds": "environment of the clouds' packages",
}
COMPILED = {
    "clouds": (
        "google", "grpc", "pulumi", "pulumi_kubernetes", "pydantic",
        *(f"pulumi_aws/{area}" for area in ("cloudwatch", "ec2", "eks", "iam", "kms")),
        *(f"pulumi_azure_native/{area}" for area in ("containerservice", "keyvault", "monitor", "network")),
        *(f"pulumi_gcp/{area}" for area in ("compute", "container", "kms", "projects", "serviceaccount")),
    )
}  # fmt: skip
"""Folders to compile, of environments with thousands of modules of which few are used; others are compiled whole."""
MINIMUM = (3, 11)


def cache_root() -> Path:
    """``$TASKSERVICE_CACHE``, else ``$XDG_CACHE_HOME/taskservice``, else ``~/.cache/taskservice``."""
    given = os.environ.get("TASKSERVICE_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskservice"


def environment(name: str = "dev") -> Path:
    """The environment's folder, made if absent.  Raises :class:`subprocess.CalledProcessError` if that fails."""
    lock = ROOT / "requirements" / f"{name}.txt"
    key = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = cache_root() / "venv" / f"{name}-{key}"
    if (place / ".complete").exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as only_one:
        # Let go of when this process ends, however it does. Two at once would remove what the other installs.
        fcntl.flock(only_one, fcntl.LOCK_EX)
        if not (place / ".complete").exists():
            make(name, lock, place)
    return place


def make(name: str, lock: Path, place: Path) -> None:
    """Make the environment in its place: scripts in it name its path; only the mark at the end makes it count."""
    say(f"making the {ABOUT[name]} ({sum(1 for line in lock.open() if '==' in line)} packages)")
    started = time.monotonic()
    shutil.rmtree(place, ignore_errors=True)
    ensure_venv_module()
    run([sys.executable, "-m", "venv", str(place)])
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run(
        [
            *pip,
            *(["--no-compile"] if name in COMPILED else []),
            "--require-hashes",
            "--only-binary",
            ":all:",
            "-r",
            str(lock),
        ]
    )
    if name in COMPILED:
        packages = place / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        folders = [str(packages / folder) for folder in COMPILED[name]]
        run([str(place / "bin" / "python"), "-m", "compileall", "-q", *folders])
    (place / ".complete").write_text("")
    say(f"{ABOUT[name]} ready after {time.monotonic() - started:.0f} s")


def ensure_venv_module() -> None:
    """Debian splits ``venv`` into a package of its own: install it where we may, or say how."""
    probe = subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    if probe.returncode == 0:
        return
    package = f"python3.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"python's venv module is missing: install it (Debian: apt-get install {package})")
    say(f"installing the Debian package {package}")
    run(["apt-get", "update", "-qq"])
    run(["apt-get", "install", "-y", "-qq", package])


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def main(names: list[str]) -> int:
    """Print the path of the environment named, ``dev`` without a name."""
    if sys.version_info < MINIMUM:
        raise SystemExit(f"Python {MINIMUM[0]}.{MINIMUM[1]} or later is needed; this is {sys.version.split()[0]}")
    name = names[0] if names else "dev"
    if name not in ABOUT:
        raise SystemExit(f"there is no environment {name}; there are {', '.join(ABOUT)}")
    try:
        print(environment(name))
    except subprocess.CalledProcessError as problem:
        raise SystemExit(f"the {ABOUT[name]} could not be made: {problem}") from None
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
