"""What the worker understands of events (docs/events.md). Pure.

Older versions are lifted to the current one, step by step; a newer version is rejected, because guessing what it
means would be worse than waiting for a worker that knows it. Unknown members are ignored, unknown types too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from taskservice.kit.bus import Rejected
from taskservice.kit.events import Event, InvalidEvent, decode

Data = Mapping[str, Any]
Upcast = Callable[[Data], Data]

VERSIONS: Mapping[str, int] = {
    "task.created": 1,
    "task.updated": 1,
    "task.assigned": 1,
    "task.commented": 1,
    "task.deleted": 1,
}
# (type, version) to what makes the next version of it.
UPCASTERS: Mapping[tuple[str, int], Upcast] = {}

CLOSED = frozenset({"done", "cancelled"})


class TaskState(BaseModel):
    """The members of `data.task` that the worker uses."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: Annotated[str, Field(max_length=1000)] = ""
    status: Annotated[str, Field(max_length=100)] = ""
    due_at: AwareDatetime | None = None
    assignee: Annotated[str, Field(max_length=128)] | None = None


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    task: TaskState
    changed: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    previous: Annotated[str, Field(max_length=128)] | None = None
    comment_id: Annotated[str, Field(max_length=128)] | None = None
    excerpt: Annotated[str, Field(max_length=1000)] | None = None


@dataclass(frozen=True)
class TaskEvent:
    """An event about a task, in the current version of its type."""

    event: Event
    task: TaskState
    details: Mapping[str, Any]
    previous: str | None = None

    @property
    def deleted(self) -> bool:
        return self.event.type == "task.deleted"

    @property
    def people(self) -> list[str]:
        """Whose feed this belongs in, without doubles."""
        event = self.event
        named = (event.owner, event.actor, self.task.assignee, self.previous)
        return list(dict.fromkeys(person for person in named if person))


def interpret(
    body: bytes,
    versions: Mapping[str, int] = VERSIONS,
    upcasters: Mapping[tuple[str, int], Upcast] = UPCASTERS,
) -> TaskEvent | None:
    """What a message says; None when its type is none of ours. Raises Rejected."""
    try:
        event = decode(body)
    except InvalidEvent as error:
        raise Rejected(str(error)) from None
    known = versions.get(event.type)
    if known is None:
        return None
    if event.version > known:
        raise Rejected(
            f"{event.type} has version {event.version}, this worker knows {known}: update the worker, then replay"
        )
    try:
        lifted = event.data
        for version in range(event.version, known):
            lifted = upcasters[event.type, version](lifted)
        data = _Data.model_validate(dict(lifted))
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise Rejected(f"the data of {event.type} version {event.version} is not valid: {_where(error)}") from None
    details = data.model_dump(include={"changed", "previous", "comment_id", "excerpt"}, exclude_defaults=True)
    if data.task.assignee and event.type == "task.assigned":
        details["assignee"] = data.task.assignee
    return TaskEvent(event, data.task, details, data.previous)


def _where(error: Exception) -> str:
    """The members that are wrong, never their values."""
    if isinstance(error, ValidationError):
        return ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False)[:5])
    return f"{type(error).__name__} {error}"
