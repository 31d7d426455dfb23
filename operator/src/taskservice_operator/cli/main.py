"""The command line ``kubectl taskservice``: words in, exit status out; 0 done, 1 refused or failed, 2 misspelt."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import yaml

from taskservice_operator import __version__
from taskservice_operator.api import names
from taskservice_operator.cli import history, tree, verbs, watching
from taskservice_operator.cli.client import Cluster, ClusterProblem, Manifest
from taskservice_operator.cli.style import Style

PROGRAM = "kubectl taskservice"
EXAMPLES = f"""\
examples:
  {PROGRAM} get                 all TaskServices of the namespace, as trees
  {PROGRAM} get tasks -w        watch a rollout
  {PROGRAM} promote tasks       let the candidate go live; end the pause of a canary
  {PROGRAM} abort tasks         give the rollout up; what is live stays or comes back
  {PROGRAM} history tasks       finished rollouts
"""
_HELP = {
    "promote": "let the candidate go live, or end the pause of a canary",
    "abort": "give the rollout up",
    "retry": "try the failed revision again",
    "rollback": "go back to the revision that was live before",
}


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar.  Options that say where may stand before or after the verb."""
    where = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where.add_argument("-n", "--namespace", help="the namespace; the context's own by default")
    where.add_argument("--context", help="the kubeconfig's context to use")
    where.add_argument("--kubeconfig", help="the kubeconfig file to use")
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        parents=[where],
        description="See and steer the rollouts of TaskServices.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verb = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    get = verb.add_parser("get", parents=[where], help="show TaskServices and their revisions as a tree")
    get.add_argument("name", nargs="?", help="one TaskService; all of the namespace by default")
    get.add_argument("-A", "--all-namespaces", action="store_true", help="those of all namespaces")
    get.add_argument("-w", "--watch", action="store_true", help="look again every second until interrupted")
    _add_output(get)
    for name, words in _HELP.items():
        asked = verb.add_parser(name, parents=[where], help=words)
        _add_name(asked)
        if name == "promote":
            asked.add_argument("--full", action="store_true", help="skip the steps of a canary that are left")
    past = verb.add_parser("history", parents=[where], help="show finished rollouts")
    _add_name(past)
    _add_output(past)
    return parser


def main(
    arguments: Sequence[str] | None = None,
    connect: Callable[[str | None, str | None], Cluster] = Cluster.connect,
    out: TextIO | None = None,
) -> int:
    """Carry out one command and return the exit status."""
    stream: TextIO = out or sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="replace")  # a terminal without our line-drawing characters still shows the rest
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.verb == "get" and options.name and options.all_namespaces:
        parser.error("give a name or --all-namespaces, not both")
    if options.verb == "get" and options.watch and options.output:
        parser.error("give --watch or --output, not both")
    try:
        cluster = connect(getattr(options, "kubeconfig", None), getattr(options, "context", None))
        try:
            return _run(options, cluster, stream)
        finally:
            cluster.close()
    except (ClusterProblem, verbs.NotApplicable) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0 if getattr(options, "watch", False) else 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end
        return 1


def _run(options: argparse.Namespace, cluster: Cluster, out: TextIO) -> int:
    namespace = getattr(options, "namespace", None) or cluster.namespace
    if options.verb == "get":
        return _get(options, cluster, None if options.all_namespaces else namespace, out)
    taskservice = cluster.get(namespace, options.name)
    if options.verb == "history":
        if options.output:
            _dump((taskservice.get("status") or {}).get("history") or [], options.output, out)
        else:
            print(history.render(taskservice, watching.now()), file=out)
        return 0
    asked = "promote-full" if getattr(options, "full", False) else options.verb
    request = verbs.ask(asked, taskservice, watching.now())
    cluster.annotate(namespace, options.name, {request.annotation: request.value})
    print(request.sentence, file=out)
    elsewhere = "" if namespace == cluster.namespace else f" -n {namespace}"
    print(f"watch it: {PROGRAM} get {options.name}{elsewhere} -w", file=out)
    return 0


def _get(options: argparse.Namespace, cluster: Cluster, namespace: str | None, out: TextIO) -> int:
    def look() -> watching.Seen:
        one = namespace or cluster.namespace
        found = [cluster.get(one, options.name)] if options.name else cluster.list(namespace)
        deployments = cluster.deployments(namespace, options.name) if found else []
        return [(each, [other for other in deployments if _belongs(other, each)]) for each in found]

    style = Style(out.isatty() and "NO_COLOR" not in os.environ)
    if options.watch and out.isatty():
        watching.redraw(look, out, style, f"{PROGRAM} get {options.name or ''}".strip())
    if options.watch:
        watching.append(look, out)
    if options.output:
        return _get_raw(options, cluster, namespace, out)
    seen = look()
    if not seen:
        where = f"in namespace {namespace}" if namespace else "in this cluster"
        print(f"there are no TaskServices {where}", file=sys.stderr)
    trees = [tree.render(*each, watching.now(), style, with_namespace=namespace is None) for each in seen]
    print("\n\n".join(trees), end="\n" if trees else "", file=out)
    return 0


def _get_raw(options: argparse.Namespace, cluster: Cluster, namespace: str | None, out: TextIO) -> int:
    if options.name:
        _dump(_tidy(cluster.get(namespace or cluster.namespace, options.name)), options.output, out)
        return 0
    items = [_tidy({"apiVersion": names.API_VERSION, "kind": names.KIND, **each}) for each in cluster.list(namespace)]
    _dump({"apiVersion": "v1", "kind": "List", "items": items}, options.output, out)
    return 0


def _belongs(deployment: Manifest, taskservice: Manifest) -> bool:
    references = deployment["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] == taskservice["metadata"]["uid"] for reference in references)


def _tidy(taskservice: Manifest) -> Manifest:
    metadata = {key: value for key, value in taskservice["metadata"].items() if key != "managedFields"}
    return {**taskservice, "metadata": metadata}


def _dump(value: object, form: str, out: TextIO) -> None:
    if form == "json":
        print(json.dumps(value, indent=2, ensure_ascii=False), file=out)
    else:
        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), end="", file=out)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the TaskService")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=["json", "yaml"], help="print the data instead")
