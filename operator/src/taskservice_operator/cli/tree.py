"""A TaskService and its revisions as text: objects and the time in, lines out.

::

    shop/tasks  Verifying  Ready=Unknown
    revision 7c2f901b3d waits for: kubectl taskservice promote tasks
    ├── ● blue   3f2a91c0de  active, stable  3/3 ready  example/tasks:1.4.1  2h
    └── ● green  7c2f901b3d  candidate       1/1 ready  example/tasks:1.4.2  40s
                 PrePromotion/smoke Running, 1 measured
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskservice_operator.api import names
from taskservice_operator.api.status import Phase, Status, parse_status, parse_time
from taskservice_operator.cli.style import PLAIN, Style, age, duration
from taskservice_operator.cli.verbs import was_seen
from taskservice_operator.core.conditions import SECRETS_READY

Manifest = Mapping[str, Any]

_LOOKS = {Phase.STABLE: "green", Phase.FAILED: "red", Phase.RETURNING: "red"}


@dataclass(frozen=True)
class Revision:
    """One line of the tree."""

    name: str
    roles: tuple[str, ...]
    colour: str = ""
    ready: int = 0
    desired: int = 0
    image: str = ""
    created: datetime | None = None
    scale_down_at: datetime | None = None


def render(
    taskservice: Manifest,
    deployments: Sequence[Manifest],
    now: datetime,
    style: Style = PLAIN,
    *,
    with_namespace: bool = False,
) -> str:
    """The whole tree of one TaskService."""
    status = parse_status(taskservice.get("status"))
    lines = [_headline(taskservice, status, style, with_namespace=with_namespace)]
    if step := sentence(taskservice):
        lines.append(style.paint(step, "red" if status.phase in (Phase.FAILED, Phase.RETURNING) else "dim"))
    if (trouble := secrets_trouble(taskservice)) and trouble not in step:
        lines.append(style.paint(trouble, "yellow"))
    shown = revisions(status, deployments)
    cells = [_cells(revision, now) for revision in shown]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))] if cells else []
    for index, (revision, row) in enumerate(zip(shown, cells, strict=True)):
        last = index == len(shown) - 1
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        text = "  ".join([style.paint(padded[0], revision.colour), *padded[1:]]).rstrip()
        lines.append(f"{'└──' if last else '├──'} {style.paint('●', revision.colour)} {text}")
        indent = f"{'   ' if last else '│  '}   {' ' * widths[0]}  "
        lines += [indent + style.paint(line, "dim") for line in _measurements(status, revision.name)]
    return "\n".join(lines)


def line(taskservice: Manifest, deployments: Sequence[Manifest]) -> str:
    """The same in one line, without anything that changes by itself: for logs."""
    status = parse_status(taskservice.get("status"))
    metadata = taskservice["metadata"]
    parts = [
        f"{revision.colour or '?'} {revision.name} {'+'.join(revision.roles)} {revision.ready}/{revision.desired}"
        for revision in revisions(status, deployments)
    ]
    head = f"{metadata['namespace']}/{metadata['name']} {_phase(taskservice)} Ready={_ready(taskservice)[0]}"
    return " | ".join(part for part in (head, canary(status), ", ".join(parts), sentence(taskservice)) if part)


def canary(status: Status) -> str:
    """Step and weight of a canary; empty where there is none."""
    at = status.canary
    if at is None:
        return ""
    step = f"step {at.step_index + 1} of {at.step_count}" if at.step_index < at.step_count else "after the last step"
    reached = "" if at.observed_weight == at.desired_weight else f", {at.observed_weight} % observed"
    return f"canary {step}  weight {at.desired_weight} %{reached}"


def sentence(taskservice: Manifest) -> str:
    """What is going on, as the operator put it."""
    status = taskservice.get("status") or {}
    if not was_seen(taskservice):
        return "the operator has not looked at it yet"
    text = status.get("step") or _ready(taskservice)[1]
    generation = taskservice["metadata"].get("generation")
    behind = generation is not None and status.get("observedGeneration", generation) < generation
    return f"{text} (the last change was not seen by the operator yet)" if behind else text


def secrets_trouble(taskservice: Manifest) -> str:
    """Why Vault gives no secrets, which people must know although what is live is well; empty when it does."""
    conditions = (taskservice.get("status") or {}).get("conditions") or ()
    found = next((each for each in conditions if each["type"] == SECRETS_READY), {})
    return found.get("message", "") if found.get("status") == "False" else ""


def revisions(status: Status, deployments: Iterable[Manifest]) -> list[Revision]:
    """Revisions with a part to play or with pods: the active one first, then the candidate, then the youngest."""
    found = {revision.name: revision for revision in (_observed(status, each) for each in deployments)}
    for name in (status.active, status.stable, status.candidate):
        if name and name not in found:
            found[name] = Revision(name, _roles(status, name))
    shown = [each for each in found.values() if each.roles or each.desired or each.ready]

    def order(revision: Revision) -> tuple[int, float, str]:
        first = {status.active: 0, status.candidate: 1}.get(revision.name, 2)
        return first, -(revision.created.timestamp() if revision.created else 0), revision.name

    return sorted(shown, key=order)


def _observed(status: Status, deployment: Manifest) -> Revision:
    metadata, spec = deployment["metadata"], deployment["spec"]
    labels = metadata.get("labels") or {}
    name = labels.get(names.LABEL_REVISION, metadata["name"])
    containers = spec.get("template", {}).get("spec", {}).get("containers") or [{}]
    main = next((each for each in containers if each.get("name") == "app"), containers[0])
    return Revision(
        name,
        _roles(status, name),
        colour=labels.get(names.LABEL_COLOUR, ""),
        ready=(deployment.get("status") or {}).get("readyReplicas") or 0,
        desired=spec.get("replicas", 1),
        image=main.get("image", ""),
        created=parse_time(metadata["creationTimestamp"]) if metadata.get("creationTimestamp") else None,
        scale_down_at=next((each.scale_down_at for each in status.retiring if each.revision == name), None),
    )


def _roles(status: Status, name: str) -> tuple[str, ...]:
    played = {
        "active": name == status.active,
        "stable": name == status.stable,
        "candidate": name == status.candidate,
        "failed": status.failure is not None and name == status.failure.revision,
        "kept": any(each.revision == name for each in status.retiring),
    }
    return tuple(role for role, is_played in played.items() if is_played)


def _cells(revision: Revision, now: datetime) -> list[str]:
    ending = ""
    if revision.scale_down_at is not None:
        left = revision.scale_down_at - now
        ending = f"scales to 0 in {duration(left)}" if left.total_seconds() > 0 else "scaling to 0"
    return [
        revision.colour or "-",
        revision.name,
        ", ".join(revision.roles) or "old",
        f"{revision.ready}/{revision.desired} ready",
        revision.image,
        age(revision.created, now) if revision.created else "",
        ending,
    ]


def _headline(taskservice: Manifest, status: Status, style: Style, *, with_namespace: bool) -> str:
    metadata = taskservice["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}" if with_namespace else metadata["name"]
    phase, (ready, _) = _phase(taskservice), _ready(taskservice)
    look = _LOOKS.get(status.phase, "yellow") if was_seen(taskservice) else "yellow"
    paused = style.paint("paused", "yellow") if (taskservice.get("spec") or {}).get("paused") else ""
    painted = (style.paint(name, "bold"), style.paint(phase, look), f"Ready={ready}", canary(status), paused)
    return "  ".join(part for part in painted if part)


def _phase(taskservice: Manifest) -> str:
    return parse_status(taskservice["status"]).phase.value if was_seen(taskservice) else "Unseen"


def _ready(taskservice: Manifest) -> tuple[str, str]:
    conditions = (taskservice.get("status") or {}).get("conditions") or ()
    ready = next((each for each in conditions if each["type"] == "Ready"), {})
    return ready.get("status", "Unknown"), ready.get("message", "")


def _measurements(status: Status, revision: str) -> list[str]:
    lines: list[str] = []
    for run in status.analysis:
        if run.revision != revision:
            continue
        counts = [f"{run.measured} measured"]
        counts += [f"{run.failed} failed"] if run.failed else []
        counts += [f"{run.errors} impossible"] if run.errors else []
        dry = " (dry run)" if run.dry_run else ""
        seen = f": {run.message}" if run.message else ""
        lines.append(f"{run.stage}/{run.metric} {run.verdict}{dry}, {', '.join(counts)}{seen}")
    return lines
