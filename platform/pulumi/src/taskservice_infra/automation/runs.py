"""One run of one project: up, preview, down; each begins with putting right what a killed run left."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from pulumi import automation

from taskservice_infra.automation.engine import Engine
from taskservice_infra.automation.progress import Tally, say, summary, telling
from taskservice_infra.automation.projects import Project
from taskservice_infra.errors import PlatformError

ORPHAN_SECONDS = 120
"""How long an engine may go on whose caller was killed: it ends once its operations under way are done."""


def up(engine: Engine, project: Project) -> dict[str, int]:
    """Bring a project to what its program says, after looking at what is really there.

    Returns how many resources were created, changed, … (``same``: left alone).  Raises PlatformError.
    """
    stack = _ready(engine, project)
    tally = Tally()
    began = time.monotonic()
    with telling(project.name, tally):
        _run(project, tally, lambda: stack.up(refresh=True, on_event=tally.take))
    changes = tally.changes
    say(f"  {project.name}: {summary(changes)} ({time.monotonic() - began:.0f} s)")
    return changes


def preview(engine: Engine, project: Project) -> dict[str, int]:
    """Tell what ``up`` would change, one line for each resource.  Raises PlatformError."""
    stack = _ready(engine, project)
    tally = Tally()
    with telling(project.name, tally):
        _run(project, tally, lambda: stack.preview(refresh=True, on_event=tally.take))
    for line in tally.planned:
        say(f"    {line}")
    changes = tally.changes
    say(f"  {project.name}: {summary(changes)}")
    return changes


def down(engine: Engine, project: Project) -> None:
    """Remove everything of a project, and its stack.  Raises PlatformError."""
    stack = _ready(engine, project)
    tally = Tally()
    began = time.monotonic()
    with telling(f"{project.name} goes", tally):
        _run(project, tally, lambda: stack.destroy(refresh=True, on_event=tally.take))
    stack.workspace.remove_stack(stack.name)
    say(f"  {project.name}: {summary(tally.changes)} ({time.monotonic() - began:.0f} s)")


def status(engine: Engine, project: Project) -> str:
    """``data: 9 resources, succeeded at 2026-11-24 10:20``, or that it is not up."""
    if not engine.place.work(project).exists():
        return f"{project.name}: not up"
    stack = engine.stack(project)
    resources = len((stack.export_stack().deployment or {}).get("resources") or [])
    last = stack.info()
    ended = f"{last.result} at {last.start_time:%Y-%m-%d %H:%M}" if last else "never run"
    return f"{project.name}: {resources} resources, {ended}"


def _ready(engine: Engine, project: Project) -> automation.Stack:
    """The stack, free of the lock and of the unfinished operations of a run that was killed."""
    stack = engine.stack(project)
    _free(engine.place.folder / "backend" / ".pulumi" / "locks" / "organization" / project.name / stack.name, stack)
    pending = (stack.export_stack().deployment or {}).get("pending_operations") or []
    if pending:
        say(f"  {project.name}: {len(pending)} operations of a run that was ended are looked at again")
        tally = Tally()
        with telling(project.name, tally):
            _run(project, tally, lambda: stack.refresh(clear_pending_creates=True, on_event=tally.take))
    return stack


def _free(locks: Path, stack: automation.Stack) -> None:
    """Wait for an engine that goes on without its caller, then take away the lock that is nobody's.

    We hold the lock of this stack's runs, so whoever holds the engine's own was started by a run that is over.
    """
    end = time.monotonic() + ORPHAN_SECONDS
    while held := [pid for pid in map(_holder, locks.glob("*.json")) if pid and _is_engine(pid)]:
        if time.monotonic() > end:
            raise PlatformError(f"Another engine works on this stack (process {held[0]}): end it, or wait for it.")
        time.sleep(0.5)
    if any(locks.glob("*.json")):
        stack.cancel()


def _holder(lock: Path) -> int | None:
    try:
        return int(json.loads(lock.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_engine(pid: int) -> bool:
    try:
        return b"pulumi" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _run(project: Project, tally: Tally, act: Callable[[], object]) -> None:
    try:
        act()
    except automation.CommandError as failure:
        told = "\n".join(f"  - {sentence}" for sentence in sentences(tally.problems) or [_last_words(str(failure))])
        raise PlatformError(f"Project {project.name} did not get there:\n{told}") from failure


_SUMMARIES = ("update failed", "preview failed", "destroy failed", "refresh failed")


def sentences(problems: list[str]) -> list[str]:
    """What a user has to read of the engine's diagnostics: sentences of ours without the traces around them."""
    told = []
    for problem in problems:
        ours = re.findall(r"taskservice_infra\.errors\.\w+: (.+)", problem, re.DOTALL)
        # What the engine asked our process while it registered something: the sentence, then the trace.
        ours += re.findall(r"Invoke callback \S+ error: (.+?)(?=:\n  File |\Z)", problem, re.DOTALL)
        text = ours[-1].strip() if ours else problem.strip()
        if text.endswith(_SUMMARIES) and len(problems) > 1:
            continue
        if text not in told:
            told.append(text)
    return told


def _last_words(text: str) -> str:
    return os.linesep.join(text.strip().splitlines()[-15:])
