"""What a task and a comment are, and what a change of one is. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from taskservice.kit.events import Event
from taskservice.kit.idempotency import KeptAnswer

MAX_COMMENTS = 1000
"""Of one task: what a deletion has to mark in one transaction is bounded."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task as stored. Times have whole milliseconds, which is what the database keeps."""

    id: str
    title: str
    description: str = ""
    status: str = "todo"
    priority: str = "normal"
    labels: tuple[str, ...] = ()
    due_at: datetime | None = None
    assignee: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    version: int = 1  # grows with every change of what is above, and is the entity tag
    # Not part of what a list shows, and therefore not of what two tasks are compared by.
    sequence: int = field(default=0, compare=False)  # events told so far
    comments: int = field(default=0, compare=False)

    @property
    def people(self) -> frozenset[str]:
        """The users in whose lists this task is."""
        return frozenset({self.created_by} if self.assignee is None else {self.created_by, self.assignee})


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A comment as stored."""

    id: str
    task: str
    author: str
    text: str
    created_at: datetime


@dataclass(frozen=True)
class Change:
    """What becomes of a task, with everything that is stored in the same transaction.

    `after` being the very task that was there means that there is nothing to store.
    """

    after: Task
    events: Sequence[Event] = ()
    comment: Comment | None = None
    answer: KeptAnswer | None = None


Decide = Callable[[Task], Change]
"""Makes a change of a task as it is now. May be asked again with a newer one; what it raises stops the change."""
