"""What tasks accepts and answers. Every string is bounded; unknown members are refused."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_PAGE = 100


class Status(StrEnum):
    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("must not contain control characters")
    return text


def _no_null(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain null characters")
    return text


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
Description = Annotated[str, Field(max_length=4000), AfterValidator(_no_null)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PAGE)]
CursorText = Annotated[str, Field(min_length=1, max_length=128)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewTask(_Model):
    title: Title
    description: Description = ""
    status: Status = Status.TODO


class TaskChange(_Model):
    """A partial update: only the members that are present change, and null is no value."""

    title: Title = Field(default="-")
    description: Description = ""
    status: Status = Status.TODO

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one of title, description, status")
        return self


class TaskView(_Model):
    """`version` grows by one with every change."""

    id: str
    title: str
    description: str
    status: Status
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int


class TaskPage(_Model):
    """Newest first. `next` is the cursor of the following page, null on the last one."""

    items: list[TaskView]
    next: str | None
