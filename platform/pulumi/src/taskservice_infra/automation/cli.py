"""The verbs: ``python -m taskservice_infra up|preview|down|status [--stack local] [project…]``.

Progress goes to stderr; stdout carries results only.  ``backup``, ``backups`` and ``restore`` are in ``recovery``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from taskservice_infra.automation import recovery, runs
from taskservice_infra.automation.checks import check, expect_needs, is_here
from taskservice_infra.automation.engine import Engine
from taskservice_infra.automation.progress import say
from taskservice_infra.automation.projects import FOLDER, Project, chosen
from taskservice_infra.automation.workspace import LOCAL, Place
from taskservice_infra.config.cluster import ClusterSettings, KindCluster
from taskservice_infra.errors import PlatformError
from taskservice_infra.local_machine import LocalMachine, ThisMachine


def main(argv: Sequence[str] | None = None, machine: LocalMachine | None = None) -> int:
    """Run one verb; 0 when it did what was asked.  A PlatformError is told in its sentences."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] and words[0] in recovery.VERBS:
        return recovery.main(words, machine or ThisMachine())
    parser = argparse.ArgumentParser(prog="taskservice_infra", description=__doc__)
    parser.add_argument("verb", choices=("up", "preview", "down", "status"))
    parser.add_argument("project", nargs="*", help="only these (default: all, in order)")
    parser.add_argument("--stack", default=LOCAL, help="whose settings: projects/<name>/Pulumi.<stack>.yaml")
    parser.add_argument(
        "--settings", type=Path, default=FOLDER, help="another folder of stack files than the checkout's"
    )
    options = parser.parse_intermixed_args(words)
    try:
        projects = chosen(options.project, options.settings.absolute())
        run = Run(options.stack, projects, machine or ThisMachine(), whole=not options.project)
        getattr(run, options.verb)()
    except PlatformError as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here.")
        return 130
    return 0


class Run:
    """A verb on some projects of a stack; ``whole``: on all of them, with the cluster."""

    def __init__(self, stack: str, projects: Sequence[Project], machine: LocalMachine, *, whole: bool) -> None:
        self.stack = stack
        self.projects = projects
        self.machine = machine
        self.whole = whole
        self.place = Place(stack, machine.state(stack))

    def up(self) -> None:
        """Check every stack file, bring the local cluster up if the stack has one, then each project in order."""
        cluster = check(self.projects, self.stack)
        expect_needs(self.projects, self.place)
        if is_here(cluster):
            self._start(cluster)
        with self.machine.alone(self.place.lock, f"running stack {self.stack}"):
            engine = Engine(self.place, self.machine)
            for project in self.projects:
                runs.up(engine, project)
        say(f"The stack {self.stack} is up.")

    def preview(self) -> None:
        """Tell what ``up`` would change; nothing is."""
        cluster = check(self.projects, self.stack)
        expect_needs(self.projects, self.place)
        if is_here(cluster) and self.machine.access() is None:
            raise PlatformError("The local cluster is not up, so everything would be made: `make up`.")
        with self.machine.alone(self.place.lock, f"running stack {self.stack}"):
            engine = Engine(self.place, self.machine)
            for project in self.projects:
                runs.preview(engine, project)

    def down(self) -> None:
        """Remove the projects in the opposite order.

        A whole stack whose cluster is on this machine goes with it: there is nothing of it outside, state included.
        """
        cluster = check(self.projects, self.stack)
        if is_here(cluster) and self.whole:
            with self._alone_if_up():
                self.machine.down()
        elif is_here(cluster) and self.machine.access() is None:
            say(f"The stack {self.stack} is not up.")
            return
        else:
            with self.machine.alone(self.place.lock, f"running stack {self.stack}"):
                engine = Engine(self.place, self.machine)
                for project in reversed(self.projects):
                    runs.down(engine, project)
        say(f"The stack {self.stack} is gone." if self.whole else "Gone: " + ", ".join(p.name for p in self.projects))

    def status(self) -> None:
        """Print, for each project, when it was last brought up, how that ended, and how many resources it has."""
        for project in self.projects:
            print(runs.status(Engine(self.place, self.machine), project))

    def _alone_if_up(self) -> AbstractContextManager[None]:
        """Wait for a run that is under way; where there is no state, none is."""
        if not self.place.folder.exists():
            return nullcontext()
        return self.machine.alone(self.place.lock, f"running stack {self.stack}")

    def _start(self, cluster: ClusterSettings) -> None:
        # Before any state of ours: the cluster's own state folder, where ours lies, is made by it.
        self.machine.up("kind" if isinstance(cluster.kubernetes, KindCluster) else None)
