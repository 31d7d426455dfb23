"""The verbs: `python -m taskservice_local up | down | status | ...`.

Progress goes to stderr; stdout carries results only, so that `KUBECONFIG=$(… kubeconfig)` works.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from taskservice_local import builder, doctor, gateway, image_catalogue
from taskservice_local.built import need_root
from taskservice_local.chooser import KINDS, Cluster, choose, record_kind, recorded_kind
from taskservice_local.errors import LocalError
from taskservice_local.machine import Machine
from taskservice_local.parts import CATALOGUE, KIND, part_named
from taskservice_local.paths import ClusterPaths
from taskservice_local.progress import say


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    parser = argparse.ArgumentParser(prog="taskservice_local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="bring the cluster up, or repair it; GATEWAY=1 adds a gateway")
    verbs.add_parser("down", help="remove the cluster and all it holds")
    verbs.add_parser("status", help="show each component; exit 1 when one is dead")
    verbs.add_parser("doctor", help="list what is missing on this machine, and the command that mends it")
    verbs.add_parser("kubeconfig", help="print the path of the cluster's kubeconfig")
    verbs.add_parser("kind-of-cluster", help="print built, kind or current")
    build = verbs.add_parser("build", help="build parts into the cache")
    build.add_argument("part", nargs="*", help="parts (default: all but kind)")
    path = verbs.add_parser("path", help="print the path of a program, building it if absent")
    path.add_argument("program")
    image = verbs.add_parser("image", help="build an image and print its reference")
    image.add_argument("name", choices=image_catalogue.names())
    image.add_argument(
        "--build-arg", action="append", default=[], metavar="KEY=VALUE", help="as for buildah; repeatable"
    )
    load = verbs.add_parser("load-image", help="import an image, or an archive, into the cluster")
    load.add_argument("image", help=f"an archive's path, or one of {', '.join(image_catalogue.names())}")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit code; a LocalError is told in a sentence."""
    options = build_parser().parse_args(argv)
    try:
        return _run(options)
    except LocalError as failure:
        say(f"error: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here.")
        return 130


def _run(options: argparse.Namespace) -> int:
    verb: str = options.verb
    if verb == "up":
        return _up()
    if verb == "down":
        return _down()
    if verb == "status":
        return _status()
    if verb == "doctor":
        findings = doctor.examine(Machine())
        print(doctor.report(findings))
        return 1 if any(finding.fatal for finding in findings) else 0
    if verb == "kubeconfig":
        print(ClusterPaths.of().kubeconfig)
    elif verb == "kind-of-cluster":
        print(_chosen()[0].kind)
    elif verb == "build":
        chosen = tuple(part_named(name) for name in options.part) or tuple(p for p in CATALOGUE if p is not KIND)
        builder.build(chosen)
    elif verb == "path":
        print(builder.ensure_binary(options.program))
    elif verb == "image":
        if wrong := [word for word in options.build_arg if "=" not in word]:
            raise LocalError(f"--build-arg {wrong[0]} has no value: write {wrong[0]}=VALUE.")
        build_args = dict(word.split("=", 1) for word in options.build_arg)
        print(image_catalogue.ensure(options.name, build_args).reference)
    elif verb == "load-image":
        _load(options.image)
    return 0


def _chosen() -> tuple[Cluster, str]:
    paths = ClusterPaths.of()
    kind, reason = choose(os.environ, Machine(), recorded_kind(paths))
    return KINDS[kind](paths), reason


def _up() -> int:
    with_gateway = gateway.asked_for(os.environ)  # before anything is started
    cluster, reason = _chosen()
    say(reason)
    paths = ClusterPaths.of()
    if cluster.kind == "built":
        need_root()  # before anything is written down
    record_kind(paths, cluster.kind)
    cluster.up()
    if with_gateway:
        cluster.add_gateway()
    say(f"The cluster {paths.name} is up. To use it:")
    print(f"export KUBECONFIG={paths.kubeconfig}")
    return 0


def _down() -> int:
    paths = ClusterPaths.of()
    kind = recorded_kind(paths)
    if kind is None:
        say(f"There is no cluster {paths.name}.")
        return 0
    KINDS[kind](paths).down()
    say(f"The cluster {paths.name} is gone.")
    return 0


def _status() -> int:
    paths = ClusterPaths.of()
    kind = recorded_kind(paths)
    if kind is None:
        say(f"There is no cluster {paths.name}; `python -m taskservice_local up` makes one.")
        return 1
    report = KINDS[kind](paths).report()
    print(report.text)
    return 0 if report.healthy else 1


def _load(image: str) -> None:
    paths = ClusterPaths.of()
    kind = recorded_kind(paths)
    if kind is None:
        raise LocalError(f"There is no cluster {paths.name} to load into; run `python -m taskservice_local up` first.")
    if image in image_catalogue.names():
        built = image_catalogue.ensure(image)
        KINDS[kind](paths).load(built.archive)
        print(built.reference)
        return
    archive = Path(image)
    if not archive.is_file():
        raise LocalError(f"{image} is neither an archive nor one of {', '.join(image_catalogue.names())}.")
    KINDS[kind](paths).load(archive.absolute())
