"""Building parts into the cache.

A part is built in a folder of its own beside its final place and moved there by one rename, so that a binary is there
whole or not at all. What an interrupted build had compiled stays in Go's own cache: the next one goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from taskservice_local.commands import run
from taskservice_local.errors import CommandError
from taskservice_local.locks import only_one
from taskservice_local.machine import available_memory
from taskservice_local.parts import Part, part_of
from taskservice_local.paths import cache_root
from taskservice_local.progress import step
from taskservice_local.toolchain import ensure_go

# The linker of the largest program (kube-apiserver) peaks at about this much.
BYTES_PER_JOB = 2 * 1024**3
# Where there is more, compilers need not collect what they leave behind: they end soon.
AMPLE_BYTES_PER_JOB = 4 * 1024**3
AMPLE = {"GOGC": "400"}
# No C compiler, and nothing of the user's own settings.
PLAIN = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def jobs_for(memory: int, processors: int) -> int:
    """Return how many compilers and linkers may run at once, given the available bytes."""
    # One more than there are processors: compilers of small packages wait for files a fifth of their time.
    return max(1, min(processors + 1, memory // BYTES_PER_JOB))


def collecting_for(memory: int, jobs: int) -> dict[str, str]:
    """Return the environment that says how eagerly compilers collect garbage, given the available bytes."""
    return AMPLE if memory >= jobs * AMPLE_BYTES_PER_JOB else {}


def build_commands(go: Path, part: Part, out: Path, jobs: int) -> list[list[str]]:
    """Return the commands that build all programs of a part into the folder `out`.

    One for all of them where each bears its package's name, because the linkers then run beside each other. A single
    one gets its name anyway: a package path may end in a version (…/server/v3).
    """
    common = [str(go), "build", "-v", "-mod=readonly", "-p", str(jobs), *part.flags, "-o"]
    if len(part.programs) > 1 and all(package.rpartition("/")[2] == name for name, package in part.programs):
        return [[*common, f"{out}/", *(package for _, package in part.programs)]]
    return [[*common, str(out / name), package] for name, package in part.programs]


def build(parts: tuple[Part, ...]) -> None:
    """Build those of the parts that are not in the cache, in order, telling of progress.

    Raises LocalError when there is no Go or a part does not compile.
    """
    missing = [part for part in parts if not part.built]
    for place, part in enumerate(missing, 1):
        with only_one(cache_root() / "locks" / f"part-{part.name}.lock", f"building {part.name}"):
            if not part.built:  # whoever held the lock may have built it
                _build_one(part, f"building {part.name} {part.version} (part {place} of {len(missing)})")


def ensure_binary(program: str) -> Path:
    """Return the path of a program out of the cache, building its part when absent.

    Raises LocalError when no part yields it or the part does not compile.
    """
    part = part_of(program)
    build((part,))
    return part.binary(program)


def _build_one(part: Part, title: str) -> None:
    go = ensure_go()
    part.folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(part)
    partial = Path(tempfile.mkdtemp(prefix=f".partial-{part.version}-", dir=part.folder.parent))
    try:
        (partial / "bin").mkdir()
        source = _generated(go, part, partial / "source") if part.generator else part.source
        memory = available_memory()
        jobs = jobs_for(memory, os.cpu_count() or 1)
        for command in build_commands(go, part, partial / "bin", jobs):
            _compile(command, source, title, collecting_for(memory, jobs))
        _keep(go, part, partial / "data")
        shutil.rmtree(partial / "source", ignore_errors=True)
        partial.chmod(0o755)
        partial.rename(part.folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _generated(go: Path, part: Part, place: Path) -> Path:
    """Return a copy of the part's sources, completed by what its generator makes of the part's module."""
    shutil.copytree(part.source, place)
    package, *words = part.generator
    # The module is not there yet the first time: this fetches it, and go.sum verifies it.
    module = json.loads(run([go, "mod", "download", "-json", part.module], cwd=place, env=PLAIN))["Dir"]
    run([go, "run", "-mod=readonly", package, module, *words], cwd=place, env=PLAIN)
    return place


def _compile(command: list[str], source: Path, title: str, collecting: dict[str, str]) -> None:
    compiled = 0
    lines: list[str] = []
    env = {**os.environ, **PLAIN, **collecting}
    with step(title, lambda: f"{compiled} packages compiled"):
        process = subprocess.Popen(
            command, cwd=source, env=env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for line in process.stderr or ():
            compiled += 1
            lines.append(line)
        process.communicate()
        if process.returncode != 0:
            raise CommandError(command, process.returncode, "".join(lines[-40:]))


def _keep(go: Path, part: Part, place: Path) -> None:
    """Copy the part's data out of its module, whose own folder is read-only and not ours to rely on."""
    if part.data:
        module = Path(run([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", part.module], cwd=part.source).strip())
        for folder in part.data:
            shutil.copytree(module / folder, place / folder, copy_function=shutil.copyfile)
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def _sweep(part: Part) -> None:
    """Remove what interrupted builds of this part left; the lock is held, so nobody is using it."""
    for left in part.folder.parent.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
