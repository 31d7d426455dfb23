"""Run the layers of tests, each in a process of its own, and print one table of what ran, passed, failed, and why not.

    python3 ci/scripts/layers.py              all layers
    python3 ci/scripts/layers.py unit e2e     these layers

Two layers run beside each other where the machine has the processors and the memory: most of their time they wait for
servers and clusters.  Each line then bears its layer's name.  On a machine without the built parts, these are compiled
and the images made from the first second on, beside the layers that need none.

Also writes ``build/test/summary.json``.  A layer that cannot run on a machine says why in one line; on a machine
of continuous integration (``CI=true``) that is shown in the table, never hidden.  Exit status 0 only if nothing failed.
Needs nothing but Python: the environments of the layers are made as they are needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from taskservice_local.errors import LocalError
from taskservice_local.machine import MAVEN, TEST_NEEDS, Machine, available_memory, install
from taskservice_local.parts import (
    NEEDED_AFTERWARDS,
    NEEDED_BY_THE_PLATFORM,
    NEEDED_FOR_A_GATEWAY,
    NEEDED_FOR_A_NODE,
    Part,
)

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "test"


@dataclass(frozen=True)
class Layer:
    """``paths``: what pytest collects; ``checks``: commands that run before, or instead; ``hindrance``: why it cannot
    run here, or None.

    ``prepare`` brings what the machine lacks; where it cannot, it says so, and the tests that need it say it again.
    ``environment``: whose Python runs pytest, see environment.py.
    """

    name: str
    about: str
    paths: tuple[str, ...] = ()
    checks: tuple[tuple[str, ...], ...] = ()
    hindrance: Callable[[], str | None] = lambda: None
    prepare: Callable[[], None] = lambda: None
    environment: str = "dev"


@dataclass(frozen=True)
class Result:
    layer: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    note: str = ""


def no_root() -> str | None:
    if sys.platform != "linux":
        return "needs Linux: a cluster or servers are started by the tests"
    return None if os.geteuid() == 0 else "needs root: network namespaces and a container runtime are started"


def install_servers() -> None:
    try:
        install((*TEST_NEEDS, MAVEN), Machine())
    except LocalError as problem:
        print(f"  {problem}", flush=True)


def environment(name: str) -> str:
    """The folder of an environment, made if absent; see environment.py."""
    command = [sys.executable, "ci/scripts/environment.py", name]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def with_environment(argument: str) -> str:
    """The argument with the folder of the environment that it names, see :data:`INFRA_PYTHON`."""
    for name in ("infra", "clouds"):
        if f"{{{name}}}" in argument:
            return argument.replace(f"{{{name}}}", environment(name))
    return argument


INFRA_PYTHON = "--pythonpath={infra}/bin/python"
CLOUDS_PYTHON = "--pythonpath={clouds}/bin/python"
"""An argument in which ``{name}`` stands for the folder of that environment."""
LAYERS = (
    # First, because it takes long and waits for the parts of its cluster; what takes least comes last.
    Layer("e2e", "the whole on the local cluster, under load", paths=("tests/e2e",), hindrance=no_root),
    Layer(
        "lint",
        "format, lint, types, import contracts, drift, links",
        checks=(
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("pyright", "--warnings"),
            ("pyright", "--warnings", "--project=platform/pulumi/pyrightconfig.json", INFRA_PYTHON),
            ("lint-imports", "--no-cache"),
            ("python", "ci/checks/no_shadow.py"),
            ("python", "ci/checks/crd_drift.py"),
            ("python", "ci/checks/diagram.py"),
            ("python", "ci/checks/openapi_drift.py"),
            ("python", "ci/checks/proto_drift.py"),
            ("python", "ci/checks/observability_drift.py"),
            ("python", "ci/checks/links.py"),
        ),
    ),
    Layer("unit", "no I/O",
          paths=("tests/unit_operator", "tests/unit_service", "tests/unit_local", "tests/unit_keeper",
                 "tests/unit_observability", "tests/unit_ci")),
    Layer("unit_infra", "the platform's programs, on an engine that is played", paths=("tests/unit_infra",),
          environment="infra"),
    Layer("clouds", "clusters on EKS, GKE and AKS: types, and programs on an engine that is played",
          checks=(("pyright", "--warnings", "--project=platform/pulumi/pyrightclouds.json", CLOUDS_PYTHON),),
          paths=("tests/unit_clouds",), environment="clouds"),
    Layer("simulation", "the engine against a played cluster: model check, golden rollouts",
          paths=("tests/simulation",)),
    Layer("charts", "rendered by Helm", paths=("tests/charts",)),
    Layer("integration", "real mongod x3, Redis, API server + etcd", paths=("tests/integration",), hindrance=no_root,
          prepare=install_servers),
    Layer("platform", "`make up` on a cluster of its own: killed, completed, changed, mended, taken down",
          paths=("tests/e2e_platform",), hindrance=no_root, environment="infra"),
    Layer("lifecycle", "a cluster of its own: up, down, up, killed", paths=("tests/e2e_local",), hindrance=no_root),
)  # fmt: skip


BYTES_PER_LANE = 5 * 1024**3
"""What a layer's clusters and servers take at most."""


def ahead() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Chains of commands that make what the layers will ask for; empty where the parts are there already."""
    first, later = (*NEEDED_FOR_A_NODE, *NEEDED_AFTERWARDS), (*NEEDED_FOR_A_GATEWAY, *NEEDED_BY_THE_PLATFORM)
    if all(part.built for part in (*first, *later)):
        return {}

    def local(*words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "taskservice_local", *words)

    def build(parts: Sequence[Part]) -> tuple[str, ...]:
        return local("build", *(part.name for part in parts))

    # Not at a lower priority: a layer that waits for one of them would wait for all the others that run.
    return {
        "parts": (build(first), build(later)),
        "images": tuple(local("image", name) for name in ("operator", "service", "mongod", "redis")),
    }


def main(names: list[str]) -> int:
    unknown = set(names) - {layer.name for layer in LAYERS}
    if unknown:
        print(f"no such layer: {', '.join(sorted(unknown))}; there are: {', '.join(layer.name for layer in LAYERS)}")
        return 2
    OUTPUT.mkdir(parents=True, exist_ok=True)
    chosen = [layer for layer in LAYERS if not names or layer.name in names]
    began = time.monotonic()
    results = run_all(chosen, lanes(os.cpu_count() or 1, available_memory()), {} if names else ahead())
    report(results, time.monotonic() - began)
    return 1 if any(result.failed for result in results) else 0


def lanes(processors: int, memory: int) -> int:
    """How many layers may run at once, given the available bytes: one or two."""
    return max(1, min(2, processors, memory // BYTES_PER_LANE))


def run_all(layers: Sequence[Layer], lanes: int, ahead: dict[str, tuple[tuple[str, ...], ...]]) -> list[Result]:
    """The results in the layers' order. What is made ahead goes on beside them; if it fails, a layer tries again."""
    beside = (len(layers) > 1 and lanes > 1) or bool(ahead)
    with ThreadPoolExecutor(max(1, len(ahead))) as makers:
        for title, commands in ahead.items():
            makers.submit(lambda name, chain: all(call(each, Lines(name)) == 0 for each in chain), title, commands)
        dev = environment("dev")
        os.environ["PATH"] = f"{dev}/bin{os.pathsep}{os.environ['PATH']}"
        with ThreadPoolExecutor(lanes) as runners:
            return list(runners.map(lambda layer: run(layer, Lines(layer.name if beside else "")), layers))


class Lines:
    """What a layer prints: as it comes, or line by line with the layer's name where several run beside each other."""

    _one_at_a_time = threading.Lock()

    def __init__(self, name: str) -> None:
        self.name = name

    def say(self, text: str) -> None:
        with self._one_at_a_time:
            for line in text.splitlines() or [""]:
                print(f"{self.name:<10} | {line}" if self.name else line, flush=True)


def call(command: Sequence[str], lines: Lines) -> int:
    """Run a command, show what it prints, and return its exit status."""
    if not lines.name:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            lines.say(line)
    return process.returncode


def run(layer: Layer, lines: Lines) -> Result:
    lines.say(f"\n=== {layer.name}: {layer.about}")
    started = time.monotonic()
    reason = layer.hindrance()
    if reason:
        lines.say(f"not run: {reason}")
        return Result(layer.name, 0, 0, 0, 0.0, f"not run: {reason}")
    layer.prepare()
    parts = [run_checks(layer, lines)] if layer.checks else []
    parts += [run_pytest(layer, lines)] if layer.paths else []
    counts = {name: sum(getattr(part, name) for part in parts) for name in ("passed", "failed", "skipped")}
    result = Result(layer.name, **counts, seconds=0.0, note="; ".join(part.note for part in parts if part.note))
    return Result(**{**asdict(result), "seconds": round(time.monotonic() - started, 1)})


def run_checks(layer: Layer, lines: Lines) -> Result:
    failed = []
    for words in layer.checks:
        label = " ".join(word for word in words if word not in (INFRA_PYTHON, CLOUDS_PYTHON))
        command = tuple(with_environment(word) for word in words)
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        lines.say(f"  {'ok    ' if ended.returncode == 0 else 'FAILED'} {label}")
        if ended.returncode:
            failed.append(label)
            lines.say(ended.stdout[-6000:] + ended.stderr[-2000:])
    return Result(layer.name, len(layer.checks) - len(failed), len(failed), 0, 0.0, "; ".join(failed))


def run_pytest(layer: Layer, lines: Lines) -> Result:
    report_file = OUTPUT / f"{layer.name}.xml"
    report_file.unlink(missing_ok=True)
    python = f"{environment(layer.environment)}/bin/python"
    ended = call([python, "-m", "pytest", "-q", "--durations=5", f"--junitxml={report_file}", *layer.paths], lines)
    if not report_file.exists():
        return Result(layer.name, 0, 1, 0, 0.0, f"pytest ended with {ended} and wrote no report")
    counts = ElementTree.parse(report_file).getroot().find("testsuite")  # noqa: S314 — our own file
    total, failures, errors, skipped = (
        int(counts.get(name, "0")) if counts is not None else 0 for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    note = "" if total else "no test was collected"
    if ended and not failed:
        failed, note = 1, f"pytest ended with {ended}"
    return Result(layer.name, max(total - failures - errors - skipped, 0), failed, skipped, 0.0, note)


def report(results: list[Result], wall_seconds: float) -> None:
    (OUTPUT / "summary.json").write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    print(f"\n{'layer':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>9}  note")
    for r in results:
        print(f"{r.layer:<12} {r.passed:>7} {r.failed:>7} {r.skipped:>8} {r.seconds:>9.1f}  {r.note}")
    passed, failed, skipped = (sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped"))
    print(f"{'all':<12} {passed:>7} {failed:>7} {skipped:>8} {wall_seconds:>9.1f}  from the first to the last")
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except subprocess.CalledProcessError:
        sys.exit("an environment could not be made: what pip or venv said is above")
