"""Run the layers of tests, each in a process of its own, and print one table of what ran, passed, failed, and why not.

    python ci/scripts/layers.py              all layers
    python ci/scripts/layers.py unit e2e     these layers

Also writes ``build/test/summary.json``.  A layer that cannot run on a machine says why in one line; on a machine
of continuous integration (``CI=true``) that is shown in the table, never hidden.  Exit status 0 only if nothing failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from taskservice_local.errors import LocalError
from taskservice_local.machine import MAVEN, TEST_NEEDS, Machine, install

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
    made = subprocess.run(
        [PY, "ci/scripts/environment.py", name], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return made.stdout.strip()


def with_environment(argument: str) -> str:
    """The argument with the folder of the environment that it names, see :data:`INFRA_PYTHON`."""
    for name in ("infra", "clouds"):
        if f"{{{name}}}" in argument:
            return argument.replace(f"{{{name}}}", environment(name))
    return argument


PY = sys.executable
INFRA_PYTHON = "--pythonpath={infra}/bin/python"
CLOUDS_PYTHON = "--pythonpath={clouds}/bin/python"
"""An argument in which ``{name}`` stands for the folder of that environment."""
LAYERS = (
    Layer(
        "lint",
        "format, lint, types, import contracts, drift, links",
        checks=(
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("pyright", "--warnings"),
            ("pyright", "--warnings", "--project=platform/pulumi/pyrightconfig.json", INFRA_PYTHON),
            ("lint-imports", "--no-cache"),
            (PY, "ci/checks/no_shadow.py"),
            (PY, "ci/checks/crd_drift.py"),
            (PY, "ci/checks/diagram.py"),
            (PY, "ci/checks/openapi_drift.py"),
            (PY, "ci/checks/proto_drift.py"),
            (PY, "ci/checks/observability_drift.py"),
            (PY, "ci/checks/links.py"),
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
          paths=("tests/simulation", "tests/golden")),
    Layer("charts", "rendered by Helm", paths=("tests/charts",)),
    Layer("integration", "real mongod x3, Redis, API server + etcd", paths=("tests/integration",), hindrance=no_root,
          prepare=install_servers),
    Layer("lifecycle", "a cluster of its own: up, down, up, killed", paths=("tests/e2e_local",), hindrance=no_root),
    Layer("e2e", "the whole on the local cluster, under load", paths=("tests/e2e",), hindrance=no_root),
    Layer("platform", "`make up` on a cluster of its own: killed, completed, changed, mended, taken down",
          paths=("tests/e2e_platform",), hindrance=no_root, environment="infra"),
)  # fmt: skip


def main(names: list[str]) -> int:
    unknown = set(names) - {layer.name for layer in LAYERS}
    if unknown:
        print(f"no such layer: {', '.join(sorted(unknown))}; there are: {', '.join(layer.name for layer in LAYERS)}")
        return 2
    OUTPUT.mkdir(parents=True, exist_ok=True)
    results = [run(layer) for layer in LAYERS if not names or layer.name in names]
    report(results)
    return 1 if any(result.failed for result in results) else 0


def run(layer: Layer) -> Result:
    print(f"\n=== {layer.name}: {layer.about}", flush=True)
    started = time.monotonic()
    reason = layer.hindrance()
    if reason:
        print(f"not run: {reason}", flush=True)
        return Result(layer.name, 0, 0, 0, 0.0, f"not run: {reason}")
    layer.prepare()
    parts = [run_checks(layer)] if layer.checks else []
    parts += [run_pytest(layer)] if layer.paths else []
    counts = {name: sum(getattr(part, name) for part in parts) for name in ("passed", "failed", "skipped")}
    result = Result(layer.name, **counts, seconds=0.0, note="; ".join(part.note for part in parts if part.note))
    return Result(**{**asdict(result), "seconds": round(time.monotonic() - started, 1)})


def run_checks(layer: Layer) -> Result:
    failed = []
    for command in layer.checks:
        label = " ".join(
            Path(part).name if part == PY else part for part in command if part not in (INFRA_PYTHON, CLOUDS_PYTHON)
        )
        command = tuple(with_environment(part) for part in command)
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"  {'ok    ' if ended.returncode == 0 else 'FAILED'} {label}", flush=True)
        if ended.returncode:
            failed.append(label)
            print(ended.stdout[-6000:] + ended.stderr[-2000:], flush=True)
    return Result(layer.name, len(layer.checks) - len(failed), len(failed), 0, 0.0, "; ".join(failed))


def run_pytest(layer: Layer) -> Result:
    paths = [path for path in layer.paths if (ROOT / path).exists()]
    report_file = OUTPUT / f"{layer.name}.xml"
    report_file.unlink(missing_ok=True)
    python = PY if layer.environment == "dev" else f"{environment(layer.environment)}/bin/python"
    command = [python, "-m", "pytest", "-q", "--durations=5", f"--junitxml={report_file}", *paths]
    ended = subprocess.run(command, cwd=ROOT, check=False)
    if not report_file.exists():
        return Result(layer.name, 0, 1, 0, 0.0, f"pytest ended with {ended.returncode} and wrote no report")
    counts = ElementTree.parse(report_file).getroot().find("testsuite")  # noqa: S314 — our own file
    total, failures, errors, skipped = (
        int(counts.get(name, "0")) if counts is not None else 0 for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    note = "" if total else "no test was collected"
    if ended.returncode and not failed:
        failed, note = 1, f"pytest ended with {ended.returncode}"
    return Result(layer.name, max(total - failures - errors - skipped, 0), failed, skipped, 0.0, note)


def report(results: list[Result]) -> None:
    (OUTPUT / "summary.json").write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    print(f"\n{'layer':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>9}  note")
    for r in results:
        print(f"{r.layer:<12} {r.passed:>7} {r.failed:>7} {r.skipped:>8} {r.seconds:>9.1f}  {r.note}")
    passed, failed, skipped = (sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped"))
    seconds = sum(r.seconds for r in results)
    print(f"{'all':<12} {passed:>7} {failed:>7} {skipped:>8} {seconds:>9.1f}")
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
