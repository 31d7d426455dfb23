"""What tasks accepts and answers. Every string is bounded; unknown members are refused."""

import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from taskservice.tasks.cursor import MAX_CHARACTERS

MAX_PAGE = 100
MAX_LABELS = 10
UNASSIGNED = "none"
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("must not contain control characters")
    return text


def _no_null(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain null characters")
    return text


def _label(text: str) -> str:
    """Labels differ by more than case."""
    return unicodedata.normalize("NFKC", text).casefold()


def _distinct(labels: list[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _moment(moment: datetime) -> datetime:
    """In UTC and whole milliseconds."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        moment = LATEST
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must be between the years 1970 and 9000")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
Description = Annotated[str, Field(max_length=4000), AfterValidator(_no_null)]
CommentText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(_no_null)
]
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40),
    AfterValidator(_one_line),
    AfterValidator(_label),
]
Labels = Annotated[list[Label], Field(max_length=MAX_LABELS), AfterValidator(_distinct)]
UserId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
TitlePrefix = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE)]
CursorText = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewTask(_Model):
    title: Title
    description: Description = ""
    status: Status = Status.TODO
    priority: Priority = Priority.NORMAL
    labels: Labels = Field(default_factory=list)
    due_at: Moment | None = None
    assignee: UserId | None = None


class TaskChange(_Model):
    """A partial update: only the members that are present change. `due_at: null` takes the date away."""

    title: Title = Field(default="-")
    description: Description = ""
    status: Status = Status.TODO
    priority: Priority = Priority.NORMAL
    labels: Labels = Field(default_factory=list)
    due_at: Moment | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one of title, description, status, priority, labels, due_at")
        return self


class Assignment(_Model):
    """Who is to do it; null for nobody."""

    assignee: UserId | None


class NewComment(_Model):
    text: CommentText


class TaskView(_Model):
    """`version` grows by one with every change, and is the entity tag."""

    id: str
    title: str
    description: str
    status: Status
    priority: Priority
    labels: list[str]
    due_at: datetime | None
    assignee: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int


class TaskPage(_Model):
    """`next` is the cursor of the following page, null on the last one."""

    items: list[TaskView]
    next: str | None


class CommentView(_Model):
    id: str
    author: str
    text: str
    created_at: datetime


class CommentPage(_Model):
    """Oldest first. `next` is the cursor of the following page, null on the last one."""

    items: list[CommentView]
    next: str | None


class ActivityView(_Model):
    """One thing that happened to a task. `title` is the one it had then; `actor` is null for what nobody did."""

    id: str
    type: str = Field(examples=["task.created", "task.updated", "task.assigned", "task.commented", "reminder.due"])
    task: str
    title: str
    actor: str | None
    at: datetime
    details: dict[str, str | list[str]] = Field(
        description="By type: `changed`, `assignee` and `previous`, `comment_id` and `excerpt`, or `person`.",
        examples=[{"changed": ["title", "due_at"]}, {"assignee": "0199a1c2-7b1e-7c3d-9a4f-2f1d5b6c7e80"}],
    )


class ActivityPage(_Model):
    """Newest first. `next` is the cursor of the following page, null on the last one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "0199a1c3-0f4a-7e21-8c55-6d0b1e9f3a42",
                            "type": "task.assigned",
                            "task": "0199a1c2-6a10-7b8c-b1d2-90c4e5f6a7b8",
                            "title": "Buy milk",
                            "actor": "0199a1c0-11aa-7bbb-8ccc-2dd3ee4ff506",
                            "at": "2026-11-23T12:00:00.123Z",
                            "details": {"assignee": "0199a1c2-7b1e-7c3d-9a4f-2f1d5b6c7e80"},
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    items: list[ActivityView]
    next: str | None
