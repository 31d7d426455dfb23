"""``make bench``: ratios against a floor that is measured in the same run; a table, and build/bench/report.json.

    python tests/bench/run.py                  every benchmark
    python tests/bench/run.py rollouts         one of them
    python tests/bench/run.py --installed      on the operator that is installed; nothing is upgraded

What needs a cluster works in the namespace ``bench`` of the local one and removes it at the end.
See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import rollouts
import routes
import task_list

from taskservice_demo.stage import OPERATOR_NAMESPACE, Stage, kubectl_for, make_namespace, prepare
from taskservice_local import image_catalogue
from taskservice_local.chooser import KINDS, recorded_kind
from taskservice_local.cli import main as local
from taskservice_local.errors import LocalError
from taskservice_local.paths import CHECKOUT, ClusterPaths
from taskservice_local.progress import say, step
from testkit.live import Live

REPORT = CHECKOUT / "build" / "bench" / "report.json"
NAMESPACE = "bench"


@dataclass(frozen=True)
class Benchmark:
    """What is measured: on the cluster, in a namespace of its own, or by processes on loopback."""

    about: str
    render: Callable[[dict[str, Any]], str]
    on_cluster: Callable[[Live], dict[str, Any]] | None = None
    on_loopback: Callable[[], dict[str, Any]] | None = None


BENCHMARKS = {
    "rollouts": Benchmark("API requests and CPU of one rollout", rollouts.render, rollouts.measure),
    "task-list": Benchmark("requests per second of the task list in a pod", task_list.render, task_list.measure),
    "routes": Benchmark(
        "requests per second of the hot routes, and what each layer costs", routes.render, on_loopback=routes.measure
    ),
    "lists": Benchmark("the cached list alone, in short turns", routes.render, on_loopback=routes.measure_lists),
}


def main(words: list[str]) -> int:
    """Run the benchmarks that are asked for.  0 when every one of them has figures."""
    parser = argparse.ArgumentParser(prog="make bench", description="Ratios against floors of the same run.")
    parser.add_argument("benchmark", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}; all if none")
    parser.add_argument("--installed", action="store_true", help="measure the operator that is installed, as it is")
    options = parser.parse_args(words)
    unknown = set(options.benchmark) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    report: dict[str, Any] = {"machine": {"cores": os.cpu_count()}, "results": {}, "failures": {}}
    try:
        stage: Stage | None = None
        for name in options.benchmark or BENCHMARKS:
            if stage is None and BENCHMARKS[name].on_cluster:
                stage = installed() if options.installed else brought_up()
            run_one(name, stage, report)
    except LocalError as problem:
        say(f"The benchmarks ended early: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nreport: {REPORT.relative_to(CHECKOUT)}")
    return 1 if report["failures"] else 0


def run_one(name: str, stage: Stage | None, report: dict[str, Any]) -> None:
    """Run one benchmark, print its table, and put its figures or its failure into the report."""
    benchmark = BENCHMARKS[name]
    say(f"— {benchmark.about}")
    began = time.monotonic()
    try:
        result = measured(benchmark, stage)
    except LocalError as problem:
        report["failures"][name] = str(problem)
        print(f"\n{benchmark.about}: no figures, because: {problem}\n", flush=True)
    else:
        report["results"][name] = {**result, "took_seconds": round(time.monotonic() - began, 1)}
        print(f"\n{benchmark.about}\n{benchmark.render(result)}\n", flush=True)


def measured(benchmark: Benchmark, stage: Stage | None) -> dict[str, Any]:
    """The figures of one benchmark; on the cluster in a fresh namespace.  Raises LocalError."""
    if benchmark.on_loopback:
        return benchmark.on_loopback()
    if stage is None or benchmark.on_cluster is None:
        raise LocalError("it needs a cluster.")
    try:
        remove_namespace(stage)
        make_namespace(stage, NAMESPACE)
        return benchmark.on_cluster(Live(stage, NAMESPACE))
    finally:
        remove_namespace(stage)


def remove_namespace(stage: Stage) -> None:
    """Remove the namespace and wait until it is gone.  Raises LocalError when it does not go."""
    if stage.kubectl.get("namespace", NAMESPACE) is not None:
        with step(f"removing namespace {NAMESPACE}"):
            stage.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=110s")


def brought_up() -> Stage:
    """The cluster with images and operator of this checkout.  Raises LocalError when it does not come up."""
    if local(["up"]) != 0:
        raise LocalError("There is no cluster to measure on; what is said above tells why.")
    return prepare()


def installed() -> Stage:
    """The cluster that is up with the operator that is installed; only images of the sample are loaded."""
    paths = ClusterPaths.of()
    kind = recorded_kind(paths)
    if kind is None:
        raise LocalError(f"There is no cluster {paths.name}: run `make cluster` first.")
    kubectl = kubectl_for(paths, kind)
    if not (kubectl.get("deployments", "-n", OPERATOR_NAMESPACE) or {}).get("items"):
        raise LocalError("No operator is installed: run `make bench` without --installed.")
    images: dict[str, str] = {}
    for name in ("service", "mongod", "redis"):
        with step(f"image {name}"):
            image = image_catalogue.ensure(name)
            KINDS[kind](paths).load(image.archive)
            images[name] = image.reference
    return Stage(paths, kubectl, images)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
